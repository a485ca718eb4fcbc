//! # OPT105 unmoved-tensor
//!
//! ## What it finds
//! Trained tensors that have a gradient and did not move at any look.
//!
//! ## Why it hurts
//! The optimizer does not hold them, or their updates are smaller than the last digit of the weights, and are rounded
//! away.
//!
//! ## How it is measured
//! At every look at which the learning rate was not 0, two at least, ‖Δw‖ is exactly 0 while the gradient is not.
//!
//! ## Example
//! ```toml
//! [optim]
//! groups = [{ match = "layer1.*", lr = 1e-30 }]
//! ```
//!
//! ## Fix
//! A rate that moves them, or freeze them and save the time.
//!
//! ## When it is wrong
//! When a group's rate is meant to be nothing for the whole run: then freeze it.
//!
//! ## Source
//! Optimizers that were built before the model was replaced, a fault of several public training libraries.

use serde_json::json;

use super::{by_tensor, named};
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};
use crate::{history, reading};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT105",
    name: "unmoved-tensor",
    category: Category::Optimizer,
    phase: Phase::Online,
    kind: Kind::Cause,
    source: include_str!("unmoved_tensor.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let seen = by_tensor(history::looks_at_full_rate(run).into_iter());
    let still: Vec<&str> = seen
        .iter()
        .filter(|(_, points)| points.len() >= 2)
        .filter(|(_, points)| points.iter().all(|point| point.update == 0.0))
        .filter(|(_, points)| points.iter().any(|point| point.grad > 0.0))
        .map(|(name, _)| *name)
        .collect();
    let rates = run.metrics.steps.iter().map(history::rate).fold(0.0, f64::max);
    let Some(first) = still.first().filter(|_| rates > 0.0) else { return Vec::new() };
    let finding = rule
        .finding()
        .at(*first)
        .weigh(Severity::Error, 0.9)
        .evidence(format!(
            "{} of {} trained tensors have a gradient and never moved: {}",
            still.len(),
            seen.len(),
            named(&still)
        ))
        .because(
            "the optimizer does not move them, or by less than the last digit of their values",
            "their values differ between the first checkpoint and the last",
        );
    let groups = facts.plan.and_then(|plan| reading::livelier_groups(plan, first));
    vec![match groups {
        Some(groups) => finding.fix("give them the base rate", [("optim.groups", json!(groups))]),
        None => finding,
    }]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_gradient_and_no_change() {
        let stale = learning(200).looks(1e-3).tensor("head.weight", |_| (1.0, 0.3, 0.0));
        assert_eq!(one(&RULE, &stale).place, "head.weight");
        silent(&RULE, &learning(200).looks(1e-3));
        // frozen tensors are not looked at, and a dead one has no gradient: another rule's
        silent(&RULE, &learning(200).looks(1e-3).tensor("a.weight", |_| (1.0, 0.0, 0.0)));
    }
}
