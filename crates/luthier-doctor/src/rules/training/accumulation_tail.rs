//! # LOO002 accumulation-tail
//!
//! ## What it finds
//! Accumulated batches that do not divide the epoch, so that its last update sees fewer.
//!
//! ## Why it hurts
//! Nothing is lost: the last update is a mean over its own samples. It is noisier than the others, at the same
//! rate.
//!
//! ## How it is measured
//! Batches of an epoch modulo `train.grad_accum`.
//!
//! ## Example
//! ```toml
//! [train]
//! batch_size = 32
//! grad_accum = 8     # an epoch has 47 batches
//! ```
//!
//! ## Fix
//! A `grad_accum` that divides the batches, if the noise matters.
//!
//! ## When it is wrong
//! It is `info`.
//!
//! ## Source
//! Means are taken over true counts here; other programs drop the rest or divide by the full count.

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOO002",
    name: "accumulation-tail",
    category: Category::Loop,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("accumulation_tail.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (batches, accum) = (plan.length.batches_per_epoch, plan.recipe.train.grad_accum.max(1));
    let rest = batches % accum;
    if rest == 0 {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("train.grad_accum")
        .weigh(Severity::Info, 0.9)
        .evidence(format!("the last update of an epoch sees {rest} batches, the others {accum}"))
        .because(
            "that update is noisier, and is a mean over its own samples all the same",
            "its norm is as the others'",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_rest_is_told() {
        let world = World::default();
        assert_eq!(severity(&RULE, TABLE, &["train.grad_accum=8"], &world), Some(Severity::Info));
        assert_eq!(severity(&RULE, TABLE, &["train.grad_accum=2"], &world), None);
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
    }
}
