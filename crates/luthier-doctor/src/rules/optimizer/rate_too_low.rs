//! # OPT102 rate-too-low-in-run
//!
//! ## What it finds
//! A run whose weights hardly moved, and whose loss hardly fell.
//!
//! ## Why it hurts
//! At a ratio of 1e-5 a weight needs a hundred thousand updates to become another.
//!
//! ## How it is measured
//! The median update-to-weight ratio at full rate, warm-up and decay left out, is below 1e-4; the loss fell by less
//! than a tenth; gradients are not clipped in nearly every update, which is another fault.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "SGD"
//! lr = 1e-4 # for a network that starts at random
//! ```
//!
//! ## Fix
//! A rate that brings the ratio to about 1e-3.
//!
//! ## When it is wrong
//! When the model has learned what there is before the run began: then its loss is low.
//!
//! ## Source
//! CS231n's ratio of 1e-3. A small network that learns: 0.017; at a thousandth of the rate, which is too low: 1.7e-5.

use serde_json::json;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT102",
    name: "rate-too-low-in-run",
    category: Category::Optimizer,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("rate_too_low.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let (Some(run), Some(lr)) = (facts.run, history::base_rate(facts)) else { return Vec::new() };
    let Some(ratio) = history::usual_ratio(run) else { return Vec::new() };
    let losses = history::losses(&run.metrics);
    let clipped = run.metrics.steps.iter().filter(|step| step.clipped).count();
    if ratio == 0.0 || ratio > 1e-4 || losses.len() < 20 || 10 * clipped > 9 * losses.len() {
        return Vec::new();
    }
    let (start, end) = (history::start(&losses), history::end(&losses));
    if end < 0.9 * start || history::has_learned(facts, &losses) {
        return Vec::new();
    }
    let factor = 10f64.powf((1e-3 / ratio).log10().round().max(1.0));
    let finding = rule
        .finding()
        .at("optim.lr")
        .weigh(Severity::Error, if ratio < 3e-5 { 0.85 } else { 0.65 })
        .evidence(format!("an update changes the weights by {ratio:.1e} of their length; 1e-3 is usual"))
        .evidence(format!("the loss began at {start:.4} and ended at {end:.4}"))
        .because(
            "the steps are too short for this number of updates",
            "the loss of a run with the higher rate falls no faster",
        )
        .fix(format!("{factor} times the learning rate"), [("optim.lr", json!(history::short(lr * factor)))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn short_steps_and_a_flat_loss() {
        let finding = one(&RULE, &flat(200).looks(1.7e-5));
        assert_eq!(finding.fix.unwrap().patch["optim.lr"], 10.0);
        silent(&RULE, &flat(200).looks(1e-3));
        silent(&RULE, &learning(200).looks(1e-5));
        // warm-up from 0: only the first looks are short
        silent(&RULE, &flat(200).looks_by(|update| if update < 30 { 1e-7 } else { 2e-3 }).warmup(30));
    }
}
