//! # OPT103 ended-too-early
//!
//! ## What it finds
//! A run that was still getting better, at an undiminished pace, when it ended.
//!
//! ## Why it hurts
//! What it could have reached is not known. Often the batch is large and the epochs are few, so that there are a few
//! hundred updates in all.
//!
//! ## How it is measured
//! The loss of the last third of the updates falls, by more than three standard errors of its own blocks, at 40 % or
//! more of the pace of the whole run, and the learning rate at the end is not gone. It is a warning where the loss is
//! still above 60 % of its start, or where a regression's R² on the validation split is not above 0, so that the targets'
//! mean is the better answer; otherwise information: a single pass over a large corpus always ends so.
//!
//! ## Example
//! ```toml
//! [train]
//! epochs = 5
//! batch_size = 2000
//! ```
//!
//! ## Fix
//! More epochs, or a smaller batch; ten times the rate where a whole run has not reached the targets' mean.
//!
//! ## When it is wrong
//! When the run was meant to be short.
//!
//! ## Source
//! Godbole et al., Deep Learning Tuning Playbook: compute-bound and not compute-bound training.

use serde_json::json;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT103",
    name: "ended-too-early",
    category: Category::Optimizer,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("too_few_updates_run.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let losses = history::losses(&run.metrics);
    let finished = run.metrics.end.as_ref().is_some_and(|end| end.outcome == luthier_plan::Outcome::Finished);
    let rates: Vec<f64> = run.metrics.steps.iter().map(history::rate).collect();
    let left = rates.last().copied().unwrap_or(0.0) > 0.05 * rates.iter().copied().fold(0.0, f64::max);
    if !finished || !left || losses.len() < 60 {
        return Vec::new();
    }
    let tail = &losses[losses.len() * 2 / 3..];
    let (Some(last), Some(whole)) = (history::course(tail), history::course(&losses)) else {
        return Vec::new();
    };
    // the tail is a third of the run: the same pace is a third of the change
    if !last.falls() || !whole.falls() || last.change().abs() < 0.4 * whole.change().abs() / 3.0 {
        return Vec::new();
    }
    let (start, end) = (history::start(&losses), history::end(&losses));
    let epochs = facts.plan.map_or(1, |plan| plan.length.epochs);
    let below = history::valid(&run.metrics).last().and_then(|eval| eval.r2).filter(|r2| *r2 <= 0.0);
    let little = end > 0.6 * start || below.is_some();
    let severity = if little && epochs > 1 { Severity::Warning } else { Severity::Info };
    let mut finding = rule
        .finding()
        .at("train.epochs")
        .weigh(severity, 0.6)
        .evidence(format!(
            "over the last third of {} updates the loss fell by {:.4} ± {:.4}, at {:.0} % of the pace of the whole run",
            losses.len(),
            -last.change(),
            last.error,
            300.0 * last.change() / whole.change()
        ))
        .because(
            "the run ended before it was done",
            "a run of twice the length is no better on the validation split",
        )
        .fix("twice the epochs", [("train.epochs", json!(2 * epochs))]);
    if let (Some(r2), Some(plan)) = (below, facts.plan) {
        finding = finding
            .evidence(format!(
                "R² is {r2:.3} on the validation split: the targets' mean is the better answer"
            ))
            .fix("raise the rate", [("optim.lr", json!(10.0 * plan.recipe.optim.lr))]);
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_straight_fall_to_the_last_update() {
        let straight = run(300, |update| 2.3 - 0.8 * update as f64 / 300.0);
        let plan = plan();
        assert_eq!(found(&RULE, &straight, Some(&plan))[0].severity, Severity::Warning);
        // one pass: information
        assert_eq!(one(&RULE, &straight).severity, Severity::Info);
        silent(&RULE, &learning(300));
        silent(&RULE, &flat(300));
    }

    #[test]
    fn a_regression_that_ends_below_its_mean() {
        let falls = |r2| {
            let mut made =
                run(300, |update| 2.5 - 1.4 * update as f64 / 300.0).valid(&[(1.5, 0.0), (1.1, 0.0)]);
            for eval in &mut made.0.metrics.evals {
                (eval.accuracy, eval.r2) = (None, Some(r2));
            }
            made
        };
        let plan = plan();
        let told = &found(&RULE, &falls(-0.07), Some(&plan))[0];
        assert_eq!(told.severity, Severity::Warning);
        assert!(told.fix.as_ref().is_some_and(|fix| fix.patch.contains_key("optim.lr")), "{told:?}");
        assert_eq!(found(&RULE, &falls(0.6), Some(&plan))[0].severity, Severity::Info);
    }

    use crate::Severity;
}
