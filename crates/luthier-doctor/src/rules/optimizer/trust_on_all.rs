//! # OPT008 trust-ratio-on-all
//!
//! ## What it finds
//! LAMB or LARS with a trust ratio on biases or norms, and no warm-up.
//!
//! ## Why it hurts
//! A trust ratio makes a tensor's step a share of its norm, whatever its gradient is. Biases are small and start at 0,
//! where the ratio is 1 and then falls to almost nothing; scales of norms are decayed and pushed as if they were
//! matrices. Without a warm-up the first steps, of one gradient each, are as long as all others. Clipping does not help:
//! the ratio takes the gradient's size out, so a clipped gradient makes the same step.
//!
//! ## How it is measured
//! `optim.exclude` leaves out what the model has, and the rate starts at half of its largest value or above it.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "LAMB"
//! lr = 0.05
//! exclude = []
//! ```
//!
//! ## Fix
//! `exclude = ["bias", "norm"]`, as both papers' own code has it, and a warm-up.
//!
//! ## When it is wrong
//! At small rates all of it can go well: it is a warning.
//!
//! ## Source
//! You et al. 2017, 2020; contrastive pretraining with LAMB on all tensors whose instance accuracy leapt to 100 %
//! before the loss became NaN, clipped or not.

use luthier_plan::Role;
use luthier_plan::groups::has_trust_ratio;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT008",
    name: "trust-ratio-on-all",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("trust_on_all.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let small = plan.model.tensors.iter().filter(|tensor| {
        tensor.trainable
            && matches!(tensor.role, Role::Bias | Role::Norm)
            && has_trust_ratio(&plan.recipe.optim.rule, tensor.role)
    });
    let count = small.count();
    let highest = plan.lr_factors.iter().copied().fold(0.0, f64::max);
    let begins = plan.lr_factors.first().map_or(1.0, |first| first / highest);
    if count == 0 || begins < 0.5 {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("optim.exclude")
        .weigh(Severity::Warning, 0.7)
        .evidence(format!("{count} biases, scales and shifts are stepped by a share of their own norm"))
        .evidence(format!("the first update is made at {:.0} % of the highest rate", begins * 100.0))
        .because(
            "tensors that start near 0 get trust ratios that say nothing, and no clipping reaches them",
            "trust ratios of biases and norms stay between 0.1 and 10",
        )
        .fix("leave biases and norms out", [("optim.exclude", json!(["bias", "norm"]))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn all_tensors_without_a_warm_up_are_found() {
        let world = World::default();
        let lamb = ["optim.type=LAMB", "optim.lr=0.01"];
        let all = [&lamb[..], &["optim.exclude=[]"]].concat();
        assert_eq!(severity(&RULE, TABLE, &all, &world), Some(Severity::Warning));
        assert_eq!(severity(&RULE, TABLE, &lamb, &world), None);
        // this one has no norms
        let norms = [&lamb[..], &["optim.exclude=[\"bias\"]"]].concat();
        assert_eq!(severity(&RULE, TABLE, &norms, &world), None);
        let warm = "schedule={type=\"constant\",unit=\"step\",warmup={steps=50}}";
        assert_eq!(severity(&RULE, TABLE, &[&all[..], &[warm]].concat(), &world), None);
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
        let lars = ["optim.type=LARS", "optim.lr=1.0", "optim.momentum=0.9", "optim.exclude=[\"norm\"]"];
        assert_eq!(severity(&RULE, TABLE, &lars, &world), Some(Severity::Warning));
    }
}
