//! # OUT001 softmax-one-output
//!
//! ## What it finds
//! A softmax over a single output.
//!
//! ## Why it hurts
//! Shares of one number add up to 1 whatever the number is: the output is 1 for every sample and its gradient is exactly
//! 0. Nothing below it is ever trained.
//!
//! ## How it is measured
//! From the plan: the last layer has one output and the last activation is a softmax.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = 8 }, { act = "relu" }, { linear = 1 }]
//! output = "softmax"
//! ```
//!
//! ## Fix
//! For a regression no output activation; for two classes a sigmoid with `bce`, or one output for each class.
//!
//! ## When it is wrong
//! Never: it is arithmetic.
//!
//! ## Source
//! softmax(x)₁ = e^x / e^x. Questions about "constant prediction 1.0" are among the most frequent of their kind.

use luthier_recipe::{Act, Loss, LossInput, Task};
use serde_json::json;

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OUT001",
    name: "softmax-one-output",
    category: Category::Output,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("softmax_one_output.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(stack) = Stack::of(plan) else { return Vec::new() };
    if stack.outputs() != Some(1) || stack.last_act() != Some(Act::Softmax) {
        return Vec::new();
    }
    let (key, none) = stack.last_act_key();
    let finding = rule
        .finding()
        .at(key.clone())
        .weigh(Severity::Error, 1.0)
        .evidence("the last layer has one output, and a softmax over one number is 1")
        .evidence("the gradient of every weight is exactly 0")
        .because(
            "the model answers 1 whatever it is shown, and nothing in it can learn",
            "two samples get different outputs",
        );
    let probabilities = matches!(plan.recipe.loss, Loss::Bce { input: LossInput::Probabilities, .. });
    let finding = match plan.recipe.task {
        Task::Regression => finding.fix("no activation after the last layer", [(key.as_str(), none)]),
        _ if probabilities => finding.fix("a sigmoid for one output", [(key.as_str(), json!("sigmoid"))]),
        _ => finding.fix(
            "one logit into binary cross-entropy",
            [(key.as_str(), none), ("loss.type", json!("bce")), ("loss.label_smoothing", json!(null))],
        ),
    };
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn one_output_is_the_fault_and_several_are_not() {
        let world = World::default();
        let finding = found(&RULE, NUMBERS, &["model.output=softmax"], &world);
        assert_eq!((finding.severity, finding.place.as_str()), (Severity::Error, "model.output"));
        let two = World { counts: vec![9, 9], ..world.clone() };
        let one =
            ["model.output=softmax", "model.layers[2].linear=1", "loss.type=bce", "loss.input=probabilities"];
        assert_eq!(severity(&RULE, TABLE, &one, &two), Some(Severity::Error));
        let several = ["model.output=softmax", "loss.input=probabilities"];
        assert_eq!(severity(&RULE, TABLE, &several, &world), None);
        assert_eq!(severity(&RULE, NUMBERS, &["model.output=sigmoid"], &world), None);
    }
}
