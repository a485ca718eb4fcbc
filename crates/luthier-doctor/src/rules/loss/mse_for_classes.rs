//! # LOS002 mse-for-classes
//!
//! ## What it finds
//! A squared or absolute error where classes are told apart.
//!
//! ## Why it hurts
//! Behind a softmax or sigmoid the gradient of a squared error vanishes where the answer is certain and wrong,
//! which is where it is needed. Behind bare outputs it works, if less well than cross-entropy.
//!
//! ## How it is measured
//! From the plan: the task, the loss and the last activation.
//!
//! ## Example
//! ```toml
//! task = "classification"
//! [model]
//! output = "softmax"
//! [loss]
//! type = "mse"
//! ```
//!
//! ## Fix
//! `type = "cross_entropy"` on logits; `bce` for one output.
//!
//! ## When it is wrong
//! On bare outputs it reaches the same accuracy on easy data (0.998 measured), so there it is `info`.
//!
//! ## Source
//! Accuracy of 0.52 to 0.76 instead of 1.0 after four epochs, gradient norm 0.05 beside 2.1, measured on ten
//! strokes.

use luthier_recipe::{Act, Loss, Task};
use serde_json::json;

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS002",
    name: "mse-for-classes",
    category: Category::Loss,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("mse_for_classes.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.recipe.task != Task::Regression) else {
        return Vec::new();
    };
    if !matches!(plan.recipe.loss, Loss::Mse { .. } | Loss::Mae { .. } | Loss::SmoothL1 { .. }) {
        return Vec::new();
    }
    let stack = Stack::of(plan);
    let act = stack.as_ref().and_then(Stack::last_act);
    let flat = matches!(act, Some(Act::Softmax | Act::Sigmoid));
    let one = stack.as_ref().and_then(Stack::outputs) == Some(1);
    let mut finding = rule
        .finding()
        .at("loss.type")
        .weigh(if flat { Severity::Warning } else { Severity::Info }, if flat { 0.85 } else { 0.5 })
        .evidence(format!("`{}` judges the distance of outputs from 0 and 1", plan.recipe.loss.name()));
    if flat {
        finding = finding
            .evidence("behind a softmax or sigmoid its gradient vanishes where the answer is sure and wrong");
    }
    let finding = finding.because(
        "cross-entropy asks for the probability of the right class, and its gradient is largest where the answer is \
         most wrong",
        "the run with cross-entropy is no better",
    );
    let kind = if one { "bce" } else { "cross_entropy" };
    let loss = ("loss.type", json!(kind));
    let input = ("loss.input", json!("logits"));
    // a number of `smooth_l1` alone
    let beta = ("loss.beta", json!(null));
    vec![match stack.filter(|_| act.is_some()).map(|stack| stack.last_act_key()) {
        Some((key, none)) => {
            finding.fix("cross-entropy on logits", [loss, input, beta, (key.as_str(), none)])
        }
        None => finding.fix("cross-entropy on logits", [loss, input, beta]),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn behind_a_softmax_it_is_a_warning_and_on_bare_outputs_info() {
        let world = World::default();
        let rows: [(&[&str], Option<Severity>); 4] = [
            (&["loss.type=mse", "model.output=softmax"], Some(Severity::Warning)),
            (&["loss.type=mae", "model.output=sigmoid"], Some(Severity::Warning)),
            (&["loss.type=mse"], Some(Severity::Info)),
            (&["loss.type=hinge"], None),
        ];
        for (sets, expected) in rows {
            assert_eq!(severity(&RULE, TABLE, sets, &world), expected, "{sets:?}");
        }
        assert_eq!(severity(&RULE, NUMBERS, &[], &world), None);
    }
}
