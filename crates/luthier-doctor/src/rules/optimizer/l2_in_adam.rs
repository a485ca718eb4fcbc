//! # OPT004 l2-in-adam
//!
//! ## What it finds
//! Strong weight decay inside Adam's gradient, where AdamW's was meant.
//!
//! ## Why it hurts
//! Adam divides by the gradient's size: decay that is part of the gradient is divided as well, and hardly reaches
//! weights with large gradients, while those with small ones are decayed away.
//!
//! ## How it is measured
//! `type = "Adam"` with a weight decay of 1e-2 or more.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "Adam"
//! weight_decay = 0.1
//! ```
//!
//! ## Fix
//! `type = "AdamW"`.
//!
//! ## When it is wrong
//! Small values are usual and do no harm; below 1e-2 the rule is silent.
//!
//! ## Source
//! Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization.

use luthier_recipe::Rule as Update;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT004",
    name: "l2-in-adam",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("l2_in_adam.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let optim = &plan.recipe.optim;
    if !matches!(optim.rule, Update::Adam { .. }) || optim.weight_decay < 1e-2 {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("optim.weight_decay")
        .weigh(Severity::Warning, 0.75)
        .evidence(format!("{} is added to the gradient before Adam divides by its size", optim.weight_decay))
        .because(
            "weights with small gradients are decayed away and those with large ones are not decayed at all",
            "the run with AdamW is no better",
        )
        .fix("decay that is not divided", [("optim.type", json!("AdamW"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn strong_decay_belongs_into_adamw() {
        let world = World::default();
        assert_eq!(severity(&RULE, NUMBERS, &["optim.weight_decay=0.1"], &world), Some(Severity::Warning));
        assert_eq!(severity(&RULE, NUMBERS, &["optim.weight_decay=1e-5"], &world), None);
        assert_eq!(severity(&RULE, TEXTS, &[], &world), None);
    }
}
