//! # PRE101 loss-scale-fell
//!
//! ## What it finds
//! A run in fp16 whose loss scale fell below 1: its gradients are too large for fp16, not too small.
//!
//! ## Why it hurts
//! fp16 ends at 65504. Each update that overflows is left out, and at a scale below 1 the small gradients of the other
//! layers are 0: the format has no room for both.
//!
//! ## How it is measured
//! The loss scale of the last updates, and how many were skipped. A scale begins high on purpose: a few skipped updates
//! at the beginning, and one now and then after the scale has grown, are how it finds its height and no finding.
//!
//! ## Example
//! ```toml
//! [contrastive]
//! temperature = 1e-6
//! [train]
//! precision = "fp16"
//! ```
//!
//! ## Fix
//! bf16, which has fp32's range; or the cause of the large gradients, where another finding names it.
//!
//! ## When it is wrong
//! Where a loss is summed over thousands and the gradients of all layers are large.
//!
//! ## Source
//! Micikevicius et al. 2018, Mixed Precision Training; DeepSpeed stops at a scale of 1.

use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "PRE101",
    name: "loss-scale-fell",
    category: Category::Precision,
    phase: Phase::Online,
    kind: Kind::Symptom,
    source: include_str!("scale_fell.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let steps = &run.metrics.steps;
    let Some((last, scale)) = steps.last().and_then(|step| Some((step, step.loss_scale?))) else {
        return Vec::new();
    };
    if scale >= 1.0 {
        return Vec::new();
    }
    let skipped = steps.iter().filter(|step| step.skipped).count();
    let row = steps.iter().rev().take_while(|step| step.skipped).count();
    let fell = steps.iter().find(|step| step.loss_scale.is_some_and(|scale| scale < 1.0));
    let since = fell.map_or(last.at.update, |step| step.at.update);
    let mut finding = rule
        .finding()
        .at("train.precision")
        .weigh(if 2 * skipped > steps.len() { Severity::Error } else { Severity::Warning }, 0.9)
        .evidence(format!("the loss scale is {scale:.1e}, and below 1 since update {since}"))
        .evidence(format!("{skipped} of {} updates were skipped", steps.len()));
    if row > 1 {
        finding = finding.evidence(format!("the last {row} of them in a row"));
    }
    let finding = finding
        .because(
            "gradients above 65504 do not fit into fp16, whatever the loss is multiplied by",
            "the largest gradient is of one layer, and smaller without it",
        )
        .fix("a format with the range of fp32", [("train.precision", json!("bf16"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::Severity;
    use crate::rules::sample::*;

    #[test]
    fn a_scale_that_falls_is_told_from_one_that_finds_its_height() {
        let falling = flat(40).scaled(|update| 2f64.powi(17 - update as i32), |update| update < 30);
        let finding = one(&RULE, &falling);
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.evidence[0].contains("since update 18"), "{finding:?}");
        // three too many at the beginning, and one after each growth
        let healthy = |update: u64| 65536.0 / 2f64.powi(update.min(3) as i32);
        silent(&RULE, &learning(200).scaled(healthy, |update| update <= 3 || update % 100 == 0));
        silent(&RULE, &learning(200));
    }
}
