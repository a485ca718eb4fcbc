//! # LOO003 batch-size-and-rate
//!
//! ## What it finds
//! A batch that is far from the usual, where the rate should be thought of together with it.
//!
//! ## Why it hurts
//! The mean over k times as many samples has a noise that is √k smaller. To see the same noise per distance, SGD's
//! rate goes with k (as long as k is small beside the data, and a warm-up keeps the first updates in bounds),
//! Adam's with √k, because Adam already divides by the noise. Both fail beyond the critical batch, where noise no
//! longer limits the step but curvature does; then more samples per update buy nothing.
//!
//! | batch times k | rate times | why | fails when |
//! |---|---|---|---|
//! | SGD, also with momentum | k | k small steps and one k times as long go as far, while the gradient hardly changes between them | the first updates, so with a warm-up; above the critical batch; lr · curvature > 2 (1 + m) |
//! | SGD, short runs | √k | keeps the noise that a step adds: its variance is lr² / batch | runs of few updates, which then go too short a way |
//! | Adam, AdamW, RMSprop, LAMB | √k | an update is gradient over its own size: where noise rules, that size falls with √k | gradients that are larger than their noise: then the rate stays; β₂ should be moved along (1 − β₂ times k) |
//! | any, batch near the data | 1 | there is no noise left to average away | always slower per sample |
//!
//! ## How it is measured
//! Samples of an update above 512, or more than the training split holds.
//!
//! ## Example
//! ```toml
//! [train]
//! batch_size = 256
//! grad_accum = 8
//! ```
//!
//! ## Fix
//! lr · k for SGD and lr · √k for Adam, k over the batch at which the rate was found; a warm-up of 5 %.
//!
//! ## When it is wrong
//! It is `info`: no rule of thumb beats a sweep of rates.
//!
//! ## Source
//! Goyal et al. 2017 (k, with warm-up); Krizhevsky 2014 (√k); McCandlish et al. 2018 (critical batch); Malladi et
//! al. 2022 (√k for Adam).

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOO003",
    name: "batch-size-and-rate",
    category: Category::Loop,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("batch_scaling.rs"),
    look,
};

const LARGE: u64 = 512;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (batch, samples) = (plan.length.effective_batch, plan.length.samples);
    if batch <= LARGE && batch <= samples {
        return Vec::new();
    }
    let k = batch.min(samples) as f64 / 32.0;
    let (rule_name, factor) = if reading::adaptive(plan) { ("√k", k.sqrt()) } else { ("k", k) };
    let key = if plan.recipe.train.grad_accum > 1 { "train.grad_accum" } else { "train.batch_size" };
    let mut finding = rule.finding().at(key).weigh(Severity::Info, 0.5);
    if batch > samples {
        finding = finding
            .evidence(format!("an update asks for {batch} samples, and the training split has {samples}"));
    }
    if batch.min(samples) > 32 {
        finding = finding.evidence(format!(
            "a rate found with batches of 32 becomes {factor:.1} times as high by the {rule_name} rule"
        ));
    }
    if finding.evidence.is_empty() {
        return Vec::new();
    }
    vec![finding.because(
        "rate and batch size belong together: less noise allows longer steps, until curvature limits them",
        "the loss per update is the same with half the batch",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn large_batches_are_advised_on() {
        let world = World::default();
        assert_eq!(severity(&RULE, TABLE, &["train.batch_size=1024"], &world), Some(Severity::Info));
        assert_eq!(
            severity(&RULE, TABLE, &["train.batch_size=64", "train.grad_accum=16"], &world),
            Some(Severity::Info)
        );
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
        let small = World { counts: vec![10, 10], ..world };
        assert_eq!(severity(&RULE, TABLE, &[], &small), Some(Severity::Info));
    }
}
