//! # SCH101 rate-spent-early
//!
//! ## What it finds
//! A run whose loss stopped falling at the moment its learning rate was gone, long before the end.
//!
//! ## Why it hurts
//! The rest of the run computes and changes nothing.
//!
//! ## How it is measured
//! The rate is below a hundredth of its highest for the second half of the run or more; the loss fell while there was
//! a rate, by more than three standard errors, and from then on did not; and it is not low already.
//!
//! ## Example
//! ```toml
//! [schedule]
//! type = "ExponentialLR"
//! gamma = 0.9
//! unit = "step"
//! ```
//!
//! ## Fix
//! A schedule that lasts as long as the run: count epochs, or CosineAnnealingLR.
//!
//! ## When it is wrong
//! When the model had reached what the data allow just then.
//!
//! ## Source
//! What a run can learn is bounded by the sum of its rates; see SCH001.

use serde_json::json;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "SCH101",
    name: "rate-spent-early",
    category: Category::Schedule,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("spent_early.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let rates: Vec<f64> = run.metrics.steps.iter().map(history::rate).collect();
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let losses = history::losses(&run.metrics);
    let gone = rates.iter().rposition(|rate| *rate > 0.01 * highest).map_or(0, |last| last + 1);
    if highest == 0.0 || losses.len() != rates.len() || 2 * gone > rates.len() {
        return Vec::new();
    }
    let Some(after) = history::course(&losses[gone..]) else { return Vec::new() };
    let begin = history::start(&losses[..gone.max(1)]);
    let low = history::chance(facts).map_or(0.2 * begin, |chance| 0.2 * chance);
    // a schedule may be gone within ten updates: what it did is then seen in the level alone
    let fell = after.last < begin - 3.0 * after.error;
    if !fell || after.falls() || after.last < low {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("schedule.type")
        .weigh(Severity::Error, 0.8)
        .evidence(format!(
            "after update {gone} of {} the learning rate is below a hundredth of its highest",
            rates.len()
        ))
        .evidence(format!(
            "until then the loss fell from {begin:.4} to about {:.4}; after it, it changed by {:+.4} ± {:.4}",
            after.first,
            after.change(),
            after.error
        ))
        .because(
            "the learning rate was gone before the run was",
            "a run whose rate lasts to the end comes no lower",
        )
        .fix(
            "a schedule as long as the run",
            [("schedule.type", json!("CosineAnnealingLR")), ("schedule.unit", json!("step"))],
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_rate_that_is_gone_and_a_loss_that_stands() {
        let stands = |update: u64| if update < 40 { 2.3 - 0.02 * update as f64 } else { 1.5 };
        let spent = run(300, stands).rates(|update| 0.1 * 0.9f64.powi(update as i32));
        assert_eq!(one(&RULE, &spent).code, "SCH101");
        let cosine = |update: u64| 0.05 * (1.0 + (std::f64::consts::PI * update as f64 / 300.0).cos());
        silent(&RULE, &run(300, stands).rates(cosine));
        silent(&RULE, &learning(300));
    }
}
