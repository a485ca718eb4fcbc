//! # INI003 bias-init
//!
//! ## What it finds
//! Biases that start far from 0.
//!
//! ## Why it hurts
//! A strongly negative bias before a ReLU makes every unit silent for every sample: no gradient, for ever. A large
//! bias before a sigmoid or tanh puts it where it is flat.
//!
//! ## How it is measured
//! `model.init.bias` beside the predicted deviation of the layer's sums: units are dead when the bias is more than
//! three deviations below 0, flat when it is above 5 in size before a sigmoid or tanh.
//!
//! ## Example
//! ```toml
//! [model]
//! init = { weights = "he_normal", bias = -20.0 }
//! ```
//!
//! ## Fix
//! `bias = 0.0`.
//!
//! ## When it is wrong
//! For the last layer of uneven classes, where a bias of the log-odds is a good start; `init` sets all layers
//! alike.
//!
//! ## Source
//! Hidden bias −20: all ReLUs dead at step 0 and a gradient ratio of exactly 0, measured.

use luthier_recipe::{Act, BiasInit, LayerKind};
use serde_json::json;

use crate::reading;
use crate::stack::{Stack, variance};
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "INI003",
    name: "bias-init",
    category: Category::Init,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("bias.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !reading::pretrained(plan)) else { return Vec::new() };
    let Some(stack) = Stack::of(plan) else { return Vec::new() };
    let BiasInit::Number(bias) = stack.init.bias else { return Vec::new() };
    let weighted = stack.weighted();
    let hit = weighted.iter().find_map(|at| {
        let next = stack.steps.get(at + 1).map(|step| step.kind)?;
        // sums of inputs of size 1; a layer's own bias is the point here, so earlier ones are left out
        let std = stack.steps[*at].fans.map(|fans| (fans[0] * variance(&stack.init, fans)).sqrt())?;
        match next {
            LayerKind::Act(Act::Relu) if bias < -3.0 * std.max(0.1) => Some((Severity::Error, std, "dead")),
            LayerKind::Act(Act::Sigmoid | Act::Tanh) if bias.abs() > 5.0 + 2.0 * std => {
                Some((Severity::Error, std, "flat"))
            }
            LayerKind::Act(_) if bias.abs() > 10.0 => {
                Some((Severity::Warning, std, "all on one side of their activation"))
            }
            _ => None,
        }
    });
    let Some((severity, std, what)) = hit else { return Vec::new() };
    let finding = rule
        .finding()
        .at("model.init.bias")
        .weigh(severity, 0.9)
        .evidence(format!("biases start at {bias}, the sums that they are added to vary by about {std:.2}"))
        .evidence(format!("nearly all hidden units start {what}"))
        .because(
            "the bias decides what a unit does before any input can",
            "a good share of the hidden units differ from sample to sample",
        )
        .fix("begin at 0", [("model.init.bias", json!(0.0))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn biases_that_kill_or_flatten_are_found() {
        let world = World::default();
        let with = |bias: &str, act: &str| {
            let sets = [format!("model.init.bias={bias}"), format!("model.layers[1].act={act}")];
            severity(&RULE, TABLE, &[&sets[0], &sets[1]], &world)
        };
        assert_eq!(with("-20.0", "relu"), Some(Severity::Error));
        assert_eq!(with("-20.0", "sigmoid"), Some(Severity::Error));
        assert_eq!(with("20.0", "tanh"), Some(Severity::Error));
        assert_eq!(with("20.0", "relu"), Some(Severity::Warning));
        for act in ["relu", "sigmoid", "tanh"] {
            for bias in ["0.0", "0.1", "-0.5", "1.0"] {
                assert_eq!(with(bias, act), None, "{bias} {act}");
            }
        }
    }
}
