//! # OPT101 rate-too-high-in-run
//!
//! ## What it finds
//! A run whose weights were moved so far in its first updates that nothing they held before was left, and that did
//! not learn.
//!
//! ## Why it hurts
//! A step that changes the weights by a tenth of their own length is no step along the gradient any more: the loss is
//! not lowered by it, ReLUs die, pretrained features are gone.
//!
//! ## How it is measured
//! The update-to-weight ratio ‖Δw‖/‖w‖ of the first fifty updates, measured on the weights themselves at full
//! learning rate. It is this fault when the largest is above 0.05 (about 0.001 to 0.02 is usual) and the loss has not
//! fallen by a fifth, or the run diverged, but not because of its input.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "Adam"
//! lr = 0.01 # on a pretrained transformer
//! ```
//!
//! ## Fix
//! A tenth of the rate; for pretrained weights 1e-5 to 1e-3 with Adam, 1e-3 to 1e-2 with SGD.
//!
//! ## When it is wrong
//! When inputs are not scaled, the loss is a sum, or initial weights are huge, the ratio is as large, and the smaller
//! rate helps but is not the cure: probes tell these apart.
//!
//! ## Source
//! The ratio as a sanity check: Karpathy's course notes CS231n. The threshold lies between the first steps of a small
//! network that learns (0.017) and of the same one at twenty times the rate (0.35); no population of runs was measured.

use luthier_plan::Outcome;
use luthier_plan::watch::BAD_INPUT;
use serde_json::json;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT101",
    name: "rate-too-high-in-run",
    category: Category::Optimizer,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("rate_too_high.rs"),
    look,
};

/// Ratio above which a step is too far.
const FAR: f64 = 0.05;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let (Some(run), Some(lr)) = (facts.run, history::base_rate(facts)) else { return Vec::new() };
    let early = history::looks_at_full_rate(run).into_iter().filter(|look| look.update <= 50);
    let highest = early.filter_map(|look| Some((history::ratio(look)?, look.update)));
    let Some((ratio, update)) = highest.max_by(|a, b| a.0.total_cmp(&b.0)) else { return Vec::new() };
    let losses = history::losses(&run.metrics);
    if ratio < FAR || losses.is_empty() {
        return Vec::new();
    }
    let end = run.metrics.end.as_ref().filter(|end| end.outcome == Outcome::Diverged);
    let diverged = end.is_some_and(|end| end.rule.as_deref() != Some(BAD_INPUT));
    if !diverged && (losses.len() < 20 || history::has_learned(facts, &losses)) {
        return Vec::new();
    }
    let (start, end) = (history::start(&losses), history::end(&losses));
    let confidence = if diverged || ratio > 0.2 { 0.85 } else { 0.7 };
    let finding = rule
        .finding()
        .at("optim.lr")
        .weigh(Severity::Error, confidence)
        .evidence(format!("update {update} changed the weights by {:.0} % of their length", 100.0 * ratio))
        .evidence(format!("the loss began at {start:.4} and ended at {end:.4}"))
        .because(
            "the steps are so long that the gradient says nothing about where they end",
            "a run with a tenth of the rate, on the same seed, learns no more than this one",
        )
        .fix("a tenth of the learning rate", [("optim.lr", json!(history::short(lr / 10.0)))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn long_steps_and_a_flat_loss() {
        assert!(!one(&RULE, &learning(8).looks(0.35).diverged("LOS101", "the loss")).symptom);
        silent(&RULE, &learning(8).looks(0.06).diverged("DAT101", "the input"));
        assert_eq!(one(&RULE, &flat(200).looks(0.35)).fix.unwrap().patch["optim.lr"], 0.01);
        silent(&RULE, &flat(200).looks(0.017));
        // XOR with Adam 0.05 moves as far, and learns
        silent(&RULE, &learning(200).looks(0.1));
    }
}
