//! # LOS102 gone-off
//!
//! ## What it finds
//! A run whose loss has stayed far above where it began.
//!
//! ## Why it hurts
//! It knows less than nothing: a model that answers at random has a lower loss. Nothing will bring it back.
//!
//! ## How it is measured
//! The lower quartile of the last 20 losses is above three times the larger of the run's start and ln C (ten times
//! its start, for a regression), for a tenth of the run, at least 10 and at most 50 updates. The session then stops,
//! unless `train.on_divergence` is `go-on`, and keeps the last checkpoint from before.
//!
//! ## Example
//! ```toml
//! [optim]
//! lr = 5.0
//! ```
//!
//! ## Fix
//! Remove the cause that is named beside it; the usual one is a learning rate that is too high.
//!
//! ## When it is wrong
//! When a regression begins next to its target by luck, and the true level is ten times that.
//!
//! ## Source
//! Thresholds from noise: no made-up healthy run of the tests comes near, batches of one sample and label noise
//! included.

use luthier_plan::Watch;
use luthier_plan::watch::GONE_OFF;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS102",
    name: "gone-off",
    category: Category::Loss,
    phase: Phase::Online,
    kind: Kind::Symptom,
    source: include_str!("gone_off.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let metrics = &run.metrics;
    let told = metrics.end.as_ref().filter(|end| end.rule.as_deref() == Some(GONE_OFF));
    let mut finding = rule.finding().weigh(Severity::Error, 0.95);
    if let Some(end) = told {
        finding = finding.at(format!("update {}", end.at.update));
        finding.evidence.extend(end.why.clone());
    } else {
        // a run that was told to go on, or that did not watch itself
        let (mut watch, chance) = (Watch::default(), history::chance(facts));
        let updates = metrics.steps.last().map_or(0, |step| step.at.update);
        let gone = metrics.steps.iter().find_map(|step| {
            watch.observe(step.at.update, step.loss, step.grad_norm, false, chance);
            watch.gone(step.at.update, updates, chance)
        });
        let Some(gone) = gone else { return Vec::new() };
        finding = finding.at(format!("update {}", gone.since)).evidence(format!(
            "since update {} the loss is about {:.4}; {:.4} is the level of a model that has learned nothing",
            gone.since, gone.level, gone.start
        ));
    }
    vec![finding.because(
        "the run has left the region in which its gradient means anything; look at the causes beside this",
        "the loss comes back below its start by itself",
    )]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_loss_that_stays_up() {
        let up = run(300, |n| if n < 100 { 1.0 } else { 30.0 + normal(n) });
        assert!(one(&RULE, &up).symptom);
        assert!(one(&RULE, &learning(90).diverged("LOS102", "far above")).evidence[0].contains("far"));
        silent(&RULE, &learning(300));
        silent(&RULE, &run(300, |n| if n == 150 { 90.0 } else { 1.0 }));
    }
}
