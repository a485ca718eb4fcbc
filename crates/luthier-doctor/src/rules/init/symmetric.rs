//! # INI001 symmetric-init
//!
//! ## What it finds
//! All weights of a network with hidden layers start as the same number.
//!
//! ## Why it hurts
//! Units of a layer that start alike get the same gradient and stay alike for ever: the network is as wide as one
//! unit. With zeros behind a ReLU nothing moves at all.
//!
//! ## How it is measured
//! From `model.init`: `zeros`, `constant`, or `uniform` of width 0, and two layers with weights or more.
//!
//! ## Example
//! ```toml
//! [model]
//! init = { weights = "constant", value = 0.01 }
//! ```
//!
//! ## Fix
//! `he_normal` for ReLUs, `xavier_normal` for sigmoids and tanh.
//!
//! ## When it is wrong
//! For a single layer, which may start at zero; the rule is silent there. Dropout breaks the symmetry slowly.
//!
//! ## Source
//! Measured: accuracy 0.21 to 0.26 with all weights 0.01, cosine between units exactly 1, although the loss falls.

use luthier_recipe::{Act, WeightInit};
use serde_json::json;

use crate::reading;
use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "INI001",
    name: "symmetric-init",
    category: Category::Init,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("symmetric.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !reading::pretrained(plan)) else { return Vec::new() };
    let Some(stack) = Stack::of(plan).filter(|stack| stack.weighted().len() > 1) else { return Vec::new() };
    let same = match stack.init.weights {
        WeightInit::Zeros => Some(0.0),
        WeightInit::Constant => stack.init.value,
        WeightInit::Uniform => stack.init.value.filter(|value| *value == 0.0),
        _ => None,
    };
    let Some(value) = same else { return Vec::new() };
    let relu = stack
        .hidden_acts()
        .iter()
        .all(|(_, act)| matches!(act, Act::Relu | Act::LeakyRelu | Act::Gelu | Act::Elu));
    let start = if relu { "he_normal" } else { "xavier_normal" };
    let finding = rule
        .finding()
        .at("model.init.weights")
        .weigh(Severity::Error, 0.99)
        .evidence(format!("every weight of {} layers starts as {value}", stack.weighted().len()))
        .because(
            "units that start alike get the same gradient and stay alike: each layer is as good as one unit",
            "two units of a hidden layer have different weights after a few updates",
        )
        .fix(
            "start with random weights of the size that the activation needs",
            [("model.init.weights", json!(start)), ("model.init.value", json!(null))],
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn equal_units_are_found_where_there_is_a_hidden_layer() {
        let world = World::default();
        for init in ["{weights=\"zeros\"}", "{weights=\"constant\",value=0.01}"] {
            assert_eq!(
                severity(&RULE, TABLE, &[&format!("model.init={init}")], &world),
                Some(Severity::Error),
                "{init}"
            );
        }
        let one = ["model.init={weights=\"zeros\"}", "model.layers=[{linear=\"classes\"}]"];
        assert_eq!(severity(&RULE, TABLE, &one, &world), None);
        assert_eq!(severity(&RULE, TABLE, &["model.init={weights=\"normal\",std=0.01}"], &world), None);
    }
}
