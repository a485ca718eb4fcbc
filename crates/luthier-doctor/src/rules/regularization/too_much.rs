//! # REG002 regularized-twice
//!
//! ## What it finds
//! Strong dropout and strong weight decay together.
//!
//! ## Why it hurts
//! Each alone holds a model back; together training and validation are both low, and the gap between them, which
//! they should close, was not there.
//!
//! ## How it is measured
//! Dropout of 0.5 or more and a decay of 1e-2 or more inside the gradient, or 0.3 decoupled.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = 64 }, { act = "relu" }, { dropout = 0.5 }, { linear = 10 }]
//! [optim]
//! type = "SGD"
//! weight_decay = 0.1
//! ```
//!
//! ## Fix
//! Take one out first, then see.
//!
//! ## When it is wrong
//! When training is far better than validation all the same.
//!
//! ## Source
//! A row of TheDeepChecker's collection: dropout 0.5 everywhere and L2 of 0.1.

use luthier_recipe::Rule as Update;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "REG002",
    name: "regularized-twice",
    category: Category::Regularization,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("too_much.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let model = &plan.recipe.model;
    let rates = model.layers.iter().flatten().filter_map(|layer| layer.dropout).chain(model.dropout);
    let dropout = rates.fold(0.0, f64::max);
    let decay = plan.recipe.optim.weight_decay;
    let strong = if matches!(plan.recipe.optim.rule, Update::AdamW { .. }) { 0.3 } else { 1e-2 };
    if dropout < 0.5 || decay < strong {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("optim.weight_decay")
        .weigh(Severity::Warning, 0.55)
        .evidence(format!("dropout of {dropout} and a weight decay of {decay}"))
        .because(
            "the model is held back twice, and may learn neither",
            "training is far better than validation",
        )
        .fix("little decay", [("optim.weight_decay", json!(1e-4))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn both_are_needed() {
        let world = World::default();
        let layers = "model.layers=[{linear=64},{act=\"relu\"},{dropout=0.5},{linear=\"classes\"}]";
        assert_eq!(
            severity(&RULE, TABLE, &[layers, "optim.weight_decay=0.1"], &world),
            Some(Severity::Warning)
        );
        assert_eq!(severity(&RULE, TABLE, &[layers, "optim.weight_decay=1e-4"], &world), None);
        assert_eq!(severity(&RULE, TABLE, &["optim.weight_decay=0.02"], &world), None);
    }
}
