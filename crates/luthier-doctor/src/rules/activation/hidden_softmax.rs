//! # ACT002 hidden-softmax
//!
//! ## What it finds
//! A softmax between hidden layers.
//!
//! ## Why it hurts
//! Its outputs add up to 1, so each of n units is about 1/n: the next layer sees a nearly constant small signal,
//! and hardly any gradient comes back.
//!
//! ## How it is measured
//! From the layers: `act = "softmax"` before the last layer with weights.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = 64 }, { act = "softmax" }, { linear = 10 }]
//! ```
//!
//! ## Fix
//! `act = "relu"`.
//!
//! ## When it is wrong
//! For a mixture of experts or an attention written by hand; a `sequential` has neither.
//!
//! ## Source
//! Its Jacobian diag(p) − ppᵀ has entries of the order 1/n.

use luthier_recipe::Act;
use serde_json::json;

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "ACT002",
    name: "hidden-softmax",
    category: Category::Activation,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("hidden_softmax.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(stack) = facts.plan.and_then(Stack::of) else { return Vec::new() };
    let acts = stack.hidden_acts();
    let Some((index, _)) = acts.iter().find(|(_, act)| *act == Act::Softmax) else { return Vec::new() };
    let key = format!("model.layers[{index}].act");
    let finding = rule
        .finding()
        .at(key.clone())
        .weigh(Severity::Warning, 0.85)
        .evidence("a softmax stands between hidden layers, so its units compete for a sum of 1")
        .because(
            "the next layer sees a nearly constant signal, and hardly any gradient comes back through it",
            "the run with `relu` in its place is no better",
        )
        .fix("a ReLU", [(key.as_str(), json!("relu"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_softmax_inside_is_found_and_one_at_the_end_is_not() {
        let world = World::default();
        assert_eq!(
            found(&RULE, TABLE, &["model.layers[1].act=softmax"], &world).place,
            "model.layers[1].act"
        );
        assert_eq!(severity(&RULE, TABLE, &["model.output=softmax"], &world), None);
        assert_eq!(severity(&RULE, TABLE, &["model.layers[1].act=sigmoid"], &world), None);
    }
}
