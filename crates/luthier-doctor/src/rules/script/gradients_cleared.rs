//! # LOO302 script-step-order
//!
//! ## What it finds
//! An update without gradients: they are cleared between `backward()` and `step()`, or `step()` comes first.
//!
//! ## Why it hurts
//! With `zero_grad()` after `backward()` the gradients are zero when the optimizer looks at them: nothing is ever
//! learned, though the loss is computed and logged. With `step()` before `backward()` every update uses the gradient of
//! the batch before.
//!
//! ## How it is measured
//! The order of the three calls in a loop over batches, as they are written; what stands under an `if` is left out.
//!
//! ## Example
//! ```python
//! loss.backward()
//! optimizer.zero_grad()
//! optimizer.step()
//! ```
//!
//! ## Fix
//! `zero_grad()`, forward, `backward()`, `step()`, in this order.
//!
//! ## When it is wrong
//! When the two calls are of different models.
//!
//! ## Source
//! The order of every training loop in PyTorch's documentation.

use crate::script::{Call, Script};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("LOO302", "script-step-order", Category::Loop, include_str!("gradients_cleared.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        script.training_loops().into_iter().filter_map(|index| find(rule, script, index)).collect()
    })
}

fn find(rule: &Rule, script: &Script, index: usize) -> Option<Finding> {
    let here = |call: &&Call| call.scope.loops.last() == Some(&index) && !call.scope.conditional;
    let backwards: Vec<&Call> = script.backwards().filter(here).collect();
    let first_backward = backwards.first()?;
    for update in script.updates().filter(here) {
        let clears = |call: &&Call| {
            call.short() == "zero_grad" && (call.of() == update.of() || !call.of().contains("opt"))
        };
        let cleared: Vec<&Call> = script.calls.iter().filter(here).filter(clears).collect();
        let last = backwards.iter().rev().find(|backward| backward.at < update.at);
        let between = last.and_then(|last| cleared.iter().find(|c| c.at > last.at && c.at < update.at));
        let (why, sure, severity) = match (last, between) {
            (Some(last), Some(clear)) => (
                format!(
                    "`{}()` of line {} stands between `{}()` of line {} and this",
                    clear.callee, clear.at.line, last.callee, last.at.line
                ),
                0.95,
                Severity::Error,
            ),
            (None, _) if cleared.iter().any(|c| c.at < update.at) => (
                format!(
                    "`backward()` comes only after it, in line {}, and the gradients were cleared before",
                    first_backward.at.line
                ),
                0.95,
                Severity::Error,
            ),
            (None, _) => (
                format!("`backward()` comes only after it, in line {}", first_backward.at.line),
                0.7,
                Severity::Warning,
            ),
            (Some(_), None) => continue,
        };
        let finding = super::at(rule, script, update.at).weigh(severity, sure).evidence(why).because(
            "the optimizer finds no gradient of this batch",
            "the weights are others after the update",
        );
        return Some(super::change(finding, "`zero_grad()`, forward, `backward()`, `step()`, in this order"));
    }
    None
}
