//! # SCH301 script-schedule-per-batch
//!
//! ## What it finds
//! `scheduler.step()` in the loop over batches, of a schedule whose numbers are meant in epochs.
//!
//! ## Why it hurts
//! `StepLR(step_size=3, gamma=0.5)` halves the rate every third call. Called once a batch, the rate is a thousandth
//! after 30 batches, and all updates of the run together are worth six at the first rate, however long it is. The loss
//! stays where it was after the first minute.
//!
//! ## How it is measured
//! The innermost loop around the call is the one that calls `backward()`, and does not count epochs. A `StepLR` of 100
//! or less, milestones below 200, any `ExponentialLR` below 0.999 and any `ReduceLROnPlateau` are errors; a cosine
//! whose `T_max` is not a number of batches is one too. Under an `if` nothing is said.
//!
//! ## Example
//! ```python
//! for epoch in range(14):
//!     for batch in loader:
//!         loss(model(batch)).backward()
//!         optimizer.step()
//!         scheduler.step()        # StepLR(optimizer, step_size=3, gamma=0.5)
//! ```
//!
//! ## Fix
//! Move the call out of the loop over batches, to the end of the epoch; or give the numbers in batches.
//!
//! ## When it is wrong
//! When an epoch has a handful of batches, and the numbers were chosen for them.
//!
//! ## Source
//! `torch.optim.lr_scheduler`: a schedule counts calls, nothing else.

use crate::script::{Call, Script};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "SCH301",
    "script-schedule-per-batch",
    Category::Schedule,
    include_str!("schedule_per_batch.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let steps = script.calls.iter().filter(|call| call.short() == "step" && !call.scope.conditional);
        steps.filter_map(|call| find(rule, script, call)).collect()
    })
}

fn find(rule: &Rule, script: &Script, call: &Call) -> Option<Finding> {
    let maker = script.made(call.of(), Call::is_schedule)?;
    let index = script.inner_loop(&call.scope)?;
    if !script.training_loops().contains(&index) {
        return None;
    }
    let (severity, sure, what) = judged(script, maker)?;
    let around = script.loops.get(index)?;
    let finding = super::at(rule, script, call.at)
        .weigh(severity, sure)
        .evidence(format!(
            "`{}()` stands in the loop over batches of line {} (`for {} in {}`)",
            call.callee, around.at.line, around.target, around.over
        ))
        .evidence(format!("line {}: {what}", maker.at.line))
        .because(
            "the schedule is made for epochs and is stepped once a batch: the rate is gone long before the end",
            "the rate that is logged at the end of the first epoch is the one that the schedule means for it",
        );
    Some(super::change(
        finding,
        format!("call `{}()` once an epoch, behind the loop over batches", call.callee),
    ))
}

/// How bad it is, how sure, and what the schedule does when it counts batches; `None` where it may count them.
fn judged(script: &Script, maker: &Call) -> Option<(Severity, f64, String)> {
    let number = |name: &str, at: usize| maker.arg(name, at).and_then(|text| script.number(text));
    match maker.short() {
        "StepLR" => {
            let gamma = number("gamma", 2).unwrap_or(0.1);
            let Some(size) = number("step_size", 1) else {
                return Some((Severity::Warning, 0.5, "`StepLR` of a length that is not in the text".into()));
            };
            // hundreds of epochs for a step are not usual, hundreds of batches are
            let (severity, sure) = match size {
                size if size <= 100.0 => (Severity::Error, 0.95),
                size if size <= 500.0 => (Severity::Warning, 0.5),
                _ => return None,
            };
            let (after, worth) = (gamma.powf((30.0 / size).floor()), size / (1.0 - gamma).max(1e-9));
            Some((
                severity,
                sure,
                format!(
                    "`StepLR(step_size={size}, gamma={gamma})` leaves {:.2} % of the rate after 30 batches; all updates \
                 together are worth {worth:.0} at the first rate",
                    100.0 * after
                ),
            ))
        }
        "MultiStepLR" => {
            let list = maker.arg("milestones", 1)?;
            let numbers = list.trim_matches(['[', ']', '(', ')']).split(',');
            let last = numbers.filter_map(|text| script.number(text.trim())).fold(0.0, f64::max);
            (last > 0.0 && last < 200.0).then(|| {
                (
                    Severity::Error,
                    0.9,
                    format!("`MultiStepLR` has had its last milestone after {last} batches"),
                )
            })
        }
        "ExponentialLR" => {
            let gamma = number("gamma", 1)?;
            (gamma < 0.999).then(|| {
                (
                    Severity::Error,
                    0.9,
                    format!(
                        "`ExponentialLR(gamma={gamma})` leaves {:.2} % of the rate after 100 batches",
                        100.0 * gamma.powf(100.0)
                    ),
                )
            })
        }
        "ReduceLROnPlateau" => Some((
            Severity::Error,
            0.85,
            "`ReduceLROnPlateau` takes the noise between batches for a plateau".into(),
        )),
        "CosineAnnealingLR" => {
            let text = maker.arg("T_max", 1)?;
            let epochs =
                text.to_lowercase().contains("epoch") && !text.contains("len(") && !text.contains('*');
            let few = script.number(text).is_some_and(|length| length <= 300.0);
            (epochs || few).then(|| {
                (
                    Severity::Error,
                    if epochs { 0.9 } else { 0.7 },
                    format!("`CosineAnnealingLR(T_max={text})` falls and rises again every {text} batches"),
                )
            })
        }
        _ => None,
    }
}
