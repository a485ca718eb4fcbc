//! # OUT004 logits-as-probabilities
//!
//! ## What it finds
//! A loss that takes its input for probabilities, and a model whose outputs are none.
//!
//! ## Why it hurts
//! The logarithm is taken of numbers that may be negative or far above 1. They are kept in (0, 1) by force, and whatever
//! lies outside has no gradient: about half of all outputs from the first step on. Written out by hand it is a NaN in
//! the first batch.
//!
//! ## How it is measured
//! From the plan: `loss.input = "probabilities"`, and a last activation whose values are not all between 0 and 1.
//!
//! ## Example
//! ```toml
//! [model]
//! output = "none"
//! [loss]
//! type = "cross_entropy"
//! input = "probabilities"
//! ```
//!
//! ## Fix
//! `input = "logits"` and no output activation.
//!
//! ## When it is wrong
//! When the layers before keep their outputs in (0, 1) by other means.
//!
//! ## Source
//! Keras' `from_logits` has the same two meanings, and confusing them is a fault of its own in every published
//! collection.

use luthier_recipe::{Act, LossInput};
use serde_json::json;

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OUT004",
    name: "logits-as-probabilities",
    category: Category::Output,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("logits_as_probabilities.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    if plan.recipe.loss.input() != Some(LossInput::Probabilities) {
        return Vec::new();
    }
    let stack = Stack::of(plan);
    let act = stack.as_ref().and_then(Stack::last_act);
    if matches!(act, Some(Act::Softmax | Act::Sigmoid)) {
        return Vec::new();
    }
    let what = act.map_or("nothing keeps the outputs between 0 and 1".to_owned(), |act| {
        format!("`{}` does not keep the outputs between 0 and 1", format!("{act:?}").to_lowercase())
    });
    let finding = rule
        .finding()
        .at("loss.input")
        .weigh(Severity::Error, 0.98)
        .evidence(format!("`{}` takes the logarithm of the outputs as they are", plan.recipe.loss.name()))
        .evidence(what)
        .because(
            "the loss takes numbers for probabilities that are none, and those outside of (0, 1) have no gradient",
            "all outputs of a batch lie between 0 and 1 and add up to 1",
        );
    let logits = ("loss.input", json!("logits"));
    let finding = match stack.filter(|_| act.is_some()).map(|stack| stack.last_act_key()) {
        Some((key, none)) => {
            finding.fix("let the loss take logits, and give it some", [logits, (key.as_str(), none)])
        }
        None => finding.fix("let the loss take logits", [logits]),
    };
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn raw_outputs_and_a_relu_are_no_probabilities() {
        let world = World::default();
        assert_eq!(severity(&RULE, TABLE, &["loss.input=probabilities"], &world), Some(Severity::Error));
        let relu = ["loss.input=probabilities", "model.output=relu"];
        assert_eq!(severity(&RULE, TABLE, &relu, &world), Some(Severity::Error));
        for output in ["softmax", "sigmoid"] {
            let sets = ["loss.input=probabilities", &format!("model.output={output}")];
            assert_eq!(severity(&RULE, TABLE, &sets, &world), None);
        }
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
        assert_eq!(
            severity(&RULE, PICTURES, &["loss.type=cross_entropy", "loss.input=probabilities"], &world),
            Some(Severity::Error)
        );
    }
}
