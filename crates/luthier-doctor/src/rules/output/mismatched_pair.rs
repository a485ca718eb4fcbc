//! # OUT006 mismatched-pair
//!
//! ## What it finds
//! A last activation and a loss that do not belong together although both speak of probabilities: a sigmoid before
//! cross-entropy, a softmax before binary cross-entropy.
//!
//! ## Why it hurts
//! It mostly does not. −log of the right class's sigmoid pushes that one up and nothing down: the others fall only where
//! weights are shared. A softmax with binary cross-entropy trains like a softmax with about twice the rate.
//!
//! ## How it is measured
//! From the plan alone.
//!
//! ## Example
//! ```toml
//! [model]
//! output = "sigmoid"
//! [loss]
//! type = "cross_entropy"
//! input = "probabilities"
//! ```
//!
//! ## Fix
//! Logits into the loss, which knows its own activation.
//!
//! ## When it is wrong
//! For `bce` it is `info` always: measured runs are as good with it as without. For a sigmoid with cross-entropy on
//! probabilities that are not renormalised, the outputs may all go to 1, which is why that is a warning.
//!
//! ## Source
//! Questions on Stack Overflow whose accepted answer names this pair, measured again: where the library renormalises,
//! accuracy with and without it is the same.

use luthier_recipe::{Act, Loss, LossInput};
use serde_json::json;

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OUT006",
    name: "mismatched-pair",
    category: Category::Output,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("mismatched_pair.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(stack) = Stack::of(plan) else { return Vec::new() };
    let loss = &plan.recipe.loss;
    if loss.input() != Some(LossInput::Probabilities) || stack.outputs() == Some(1) {
        return Vec::new();
    }
    let (severity, what) = match (stack.last_act(), loss) {
        (Some(Act::Sigmoid), Loss::CrossEntropy { .. }) => (
            Severity::Warning,
            "−log of the right output alone is minimised: all outputs may go to 1 together",
        ),
        (Some(Act::Softmax), Loss::Bce { .. }) => {
            (Severity::Info, "each share is judged as if it stood alone")
        }
        _ => return Vec::new(),
    };
    let (key, none) = stack.last_act_key();
    let finding = rule
        .finding()
        .at(key.clone())
        .weigh(severity, 0.6)
        .evidence(what)
        .because(
            "the activation and the loss belong to different questions: one class of several, or several yes and no",
            "accuracy is the same with logits",
        )
        .fix("give the loss logits", [(key.as_str(), none), ("loss.input", json!("logits"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn pairs_that_belong_together_are_silent() {
        let world = World::default();
        let rows = [
            ("sigmoid", "cross_entropy", Some(Severity::Warning)),
            ("softmax", "bce", Some(Severity::Info)),
            ("softmax", "cross_entropy", None),
            ("sigmoid", "bce", None),
        ];
        for (output, loss, expected) in rows {
            let sets = [
                format!("model.output={output}"),
                format!("loss.type={loss}"),
                "loss.input=probabilities".into(),
            ];
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            assert_eq!(severity(&RULE, TABLE, &sets, &world), expected, "{output} {loss}");
        }
    }
}
