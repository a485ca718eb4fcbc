//! # OPT006 too-few-updates
//!
//! ## What it finds
//! A run from random weights that ends before its rate can have moved the weights anywhere.
//!
//! ## Why it hurts
//! What SGD can do is bounded by the sum of its rates. 150 updates at 0.01 sum to 1.5: a tenth of what as many at
//! 0.1 have. Large batches are the usual reason.
//!
//! ## How it is measured
//! Planned updates and rates of a run from random weights: a warning for SGD with at most 200 updates and no rate
//! above 0.01, and for Adam with at most 300 updates whose rates sum to less than 0.05.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "SGD"
//! lr = 0.01
//! [train]
//! epochs = 5
//! batch_size = 2000
//! ```
//!
//! ## Fix
//! Smaller batches, more epochs, or a higher rate.
//!
//! ## When it is wrong
//! For a linear model on standardised data, which needs few updates.
//!
//! ## Source
//! A question with batches of 2000: 0.883 after 150 updates, 0.949 with five times the rate.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT006",
    name: "too-few-updates",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("too_few_updates.rs"),
    look,
};

/// Updates in which not even a healthy rate gets a small network anywhere: the digits of the bench need about 40.
const HARDLY_ANY: u64 = 20;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !reading::pretrained(plan)) else { return Vec::new() };
    let updates = plan.length.updates;
    let factors: f64 = if plan.lr_factors.is_empty() { updates as f64 } else { plan.lr_factors.iter().sum() };
    let budget = plan.recipe.optim.lr * factors / (1.0 - reading::momentum(plan));
    let peak = reading::peak(plan, plan.recipe.optim.lr);
    let few = if reading::adaptive(plan) {
        updates <= 300 && budget < 0.05
    } else {
        updates <= 200 && peak <= 0.01
    };
    // whatever the rate is: that often, a network of random weights learns nothing
    let few = few || updates <= HARDLY_ANY;
    // a schedule that ends the rate is told by its own rules
    if !few || factors < 0.1 * updates as f64 {
        return Vec::new();
    }
    // a sixteenth of the batch, unless that is hardly a batch
    let batch = plan.recipe.train.batch_size;
    let smaller = (batch / 16).max(16).min(batch);
    let finding = rule
        .finding()
        .at("train.batch_size")
        .weigh(Severity::Warning, 0.7)
        .evidence(format!("the run has {updates} updates"))
        .evidence(format!("the rates of all updates, with momentum, sum to {budget:.2}"))
        .because(
            "the weights cannot have moved far from where they were drawn when the run ends",
            "the loss has stopped falling long before the end",
        );
    vec![if plan.recipe.train.grad_accum > 1 {
        finding.fix("an update for every batch", [("train.grad_accum", json!(1))])
    } else if smaller < batch {
        finding.fix("smaller batches, so that there are more updates", [("train.batch_size", json!(smaller))])
    } else {
        let epochs = plan.length.epochs.saturating_mul(1000_u64.div_ceil(updates.max(1)));
        finding.fix("more epochs", [("train.epochs", json!(epochs))])
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn short_slow_runs_are_found() {
        let world = World::default();
        let large = ["optim.lr=0.01", "train.batch_size=1000", "train.epochs=5"];
        assert_eq!(severity(&RULE, TABLE, &large, &world), Some(Severity::Warning));
        assert_eq!(
            severity(&RULE, TABLE, &["train.epochs=1", "optim.lr=0.01"], &world),
            Some(Severity::Warning)
        );
        let accumulated = ["optim.lr=0.1", "train.epochs=4", "train.grad_accum=100"];
        assert_eq!(severity(&RULE, TABLE, &accumulated, &world), Some(Severity::Warning));
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
        assert_eq!(severity(&RULE, NUMBERS, &[], &world), None);
        assert_eq!(
            severity(&RULE, PICTURES, &["train.epochs=1"], &world),
            None,
            "pretrained weights are near"
        );
    }
}
