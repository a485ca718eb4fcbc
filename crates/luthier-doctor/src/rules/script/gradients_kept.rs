//! # LOO301 script-gradients-kept
//!
//! ## What it finds
//! A training loop that never clears the gradients.
//!
//! ## Why it hurts
//! `backward()` adds. Without `zero_grad()` every update follows the sum of all gradients since the beginning: it grows
//! without bound, and points where the first batches pointed.
//!
//! ## How it is measured
//! A loop over batches calls `backward()` and `optimizer.step()`, and neither it nor a function that it calls clears
//! gradients.
//!
//! ## Example
//! ```python
//! for batch in loader:
//!     loss(model(batch)).backward()
//!     optimizer.step()
//! ```
//!
//! ## Fix
//! `optimizer.zero_grad()` before `backward()`, in the same loop.
//!
//! ## When it is wrong
//! When a method of another file clears them.
//!
//! ## Source
//! `torch.Tensor.backward` accumulates into `.grad`.

use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("LOO301", "script-gradients-kept", Category::Loop, include_str!("gradients_kept.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let mut found = Vec::new();
        for index in script.training_loops() {
            let Some(update) = script.updates().find(|update| update.scope.loops.contains(&index)) else {
                continue;
            };
            let cleared = super::reached(script, index).iter().any(|call| call.short() == "zero_grad")
                || script.assigned.iter().any(|a| a.name.ends_with(".grad") && a.value == "None");
            if cleared {
                continue;
            }
            let outside = script.calls.iter().find(|call| call.short() == "zero_grad");
            let finding = super::at(rule, script, update.at)
                .weigh(Severity::Error, 0.9)
                .evidence(match outside {
                    Some(call) => format!(
                        "`{}()` of line {} stands outside the loop over batches",
                        call.callee, call.at.line
                    ),
                    None => "the script has no `zero_grad()`".to_owned(),
                })
                .because(
                    "gradients add up: each update follows the sum of those of all batches so far",
                    "the gradient's norm does not grow from batch to batch",
                );
            found.push(super::change(finding, "clear the gradients before each `backward()`"));
        }
        found
    })
}
