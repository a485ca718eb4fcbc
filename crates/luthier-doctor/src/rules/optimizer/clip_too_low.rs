//! # OPT107 clip-too-low
//!
//! ## What it finds
//! A bound on the gradient's norm that shortens every step to next to nothing.
//!
//! ## Why it hurts
//! With SGD the step is as long as the clipped gradient: a bound a hundred times below the usual norm is a learning
//! rate a hundred times too low.
//!
//! ## How it is measured
//! At least 95 % of the updates were clipped, the usual norm is ten times the bound or more, the weights change by
//! less than 3e-4 of their length in an update, and the loss fell by less than a fifth. Adam divides by the
//! gradient's own size, so that its steps stay as they were: no finding.
//!
//! ## Example
//! ```toml
//! [train]
//! clip_grad_norm = 0.01
//! ```
//!
//! ## Fix
//! A bound at about the 90th percentile of the norms that were seen, or none.
//!
//! ## When it is wrong
//! When the learning rate was chosen for the bound.
//!
//! ## Source
//! Godbole et al., Deep Learning Tuning Playbook: clipping more than half of the updates is a very low learning rate
//! by another name.

use serde_json::json;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT107",
    name: "clip-too-low",
    category: Category::Optimizer,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("clip_too_low.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let steps = &run.metrics.steps;
    let clipped = steps.iter().filter(|step| step.clipped).count();
    let norms: Vec<f64> = steps.iter().map(|step| step.grad_norm).filter(|norm| norm.is_finite()).collect();
    let (Some(ratio), losses) = (history::usual_ratio(run), history::losses(&run.metrics)) else {
        return Vec::new();
    };
    if losses.len() < 20
        || 20 * clipped < 19 * steps.len()
        || ratio > 3e-4
        || history::has_learned(facts, &losses)
    {
        return Vec::new();
    }
    let (usual, ninth) = (history::median(&norms), history::quantile(&norms, 0.9));
    let bound = facts.plan.and_then(|plan| plan.recipe.train.clip_grad_norm);
    if bound.is_some_and(|bound| usual < 10.0 * bound) {
        return Vec::new();
    }
    let said = bound.map_or(String::new(), |bound| format!("; the bound is {bound}"));
    let finding = rule
        .finding()
        .at("train.clip_grad_norm")
        .weigh(Severity::Error, 0.85)
        .evidence(format!("{clipped} of {} updates were clipped", steps.len()))
        .evidence(format!("the usual norm of the gradient is {usual:.2e}{said}"))
        .evidence(format!("an update changes the weights by {ratio:.1e} of their length; 1e-3 is usual"))
        .because(
            "the bound decides the length of every step, and it is too low",
            "without the bound the loss falls no faster",
        )
        .fix("a bound that only rare updates meet", [("train.clip_grad_norm", json!(history::short(ninth)))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn every_update_is_clipped_to_nothing() {
        let clipped = flat(200).looks(8e-5).norms(|_| 2.0).clipped(|_| true);
        assert_eq!(one(&RULE, &clipped).fix.unwrap().patch["train.clip_grad_norm"], 2.0);
        // Adam: clipped throughout and none the worse
        silent(&RULE, &learning(200).looks(1e-3).clipped(|_| true));
        silent(&RULE, &flat(200).looks(8e-5).clipped(|n| n % 3 == 0));
    }
}
