//! # SCH303 script-schedule-first
//!
//! ## What it finds
//! `scheduler.step()` before `optimizer.step()`.
//!
//! ## Why it hurts
//! The first value of the schedule is never used, and every other one comes a step early. With a warm-up from zero
//! or a few long steps that is small; it is not what the recipe says.
//!
//! ## How it is measured
//! In the loop of the call, the first `optimizer.step()` comes after it.
//!
//! ## Example
//! ```python
//! for epoch in range(10):
//!     scheduler.step()
//!     for batch in loader:
//!         ...
//!         optimizer.step()
//! ```
//!
//! ## Fix
//! Step the schedule last.
//!
//! ## When it is wrong
//! With PyTorch before 1.1, where it was the other way round.
//!
//! ## Source
//! PyTorch 1.1 warns: "Detected call of `lr_scheduler.step()` before `optimizer.step()`".

use crate::script::Call;
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "SCH303",
    "script-schedule-first",
    Category::Schedule,
    include_str!("schedule_first.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let mut found = Vec::new();
        for call in script.calls.iter().filter(|call| call.short() == "step") {
            let scheduled = script.made(call.of(), Call::is_schedule).is_some();
            let Some(index) = script.inner_loop(&call.scope).filter(|_| scheduled) else { continue };
            let mut updates = script.updates().filter(|update| update.scope.loops.contains(&index));
            let Some(first) = updates.next().filter(|first| first.at > call.at) else { continue };
            let finding = super::at(rule, script, call.at)
                .weigh(Severity::Warning, 0.8)
                .evidence(format!(
                    "`{}()` comes before `{}()` of line {}",
                    call.callee, first.callee, first.at.line
                ))
                .because(
                    "the schedule's first rate is never used, and the others come a step early",
                    "the rate of the first update, as it is logged, is the one the optimizer was made with",
                );
            found.push(super::change(finding, "step the schedule behind the optimizer"));
        }
        found
    })
}
