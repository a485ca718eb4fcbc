//! # LOS201 softmax-twice
//!
//! ## What it finds
//! Probabilities given to a loss that takes them for logits.
//!
//! ## Why it hurts
//! A softmax of numbers between 0 and 1 is all but even: the loss cannot fall below ln(1 + (C - 1)/e), 1.46
//! for ten classes, and gradients are small. Accuracy may be fine all the same.
//!
//! ## How it is measured
//! Outputs of the first batch lie within 0 and 1 and add up to 1 in every row, and the loss is cross-entropy
//! on logits.
//!
//! ## Example
//! ```toml
//! [model]
//! output = "softmax"
//! [loss]
//! type = "cross_entropy"
//! input = "logits"
//! ```
//!
//! ## Fix
//! `model.output = "none"`.
//!
//! ## When it is wrong
//! When the floor of the loss is meant, as a kind of label smoothing.
//!
//! ## Source
//! `torch.nn.CrossEntropyLoss` takes unnormalised logits. Measured: sigmoid before it ends at 1.61 with 99 %
//! accuracy.

use luthier_recipe::{Loss, LossInput};
use serde_json::json;

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("LOS201", "softmax-twice", Category::Loss, include_str!("softmax_twice.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let start = view.start()?;
    // the recipe says which loss; without one it is classification with a theory of ln C
    let logits = match view.loss() {
        Some(Loss::CrossEntropy { input, .. }) => *input == LossInput::Logits,
        Some(_) => false,
        None => start.expected.is_some() && view.probes.targets.as_ref().is_none_or(|t| t.ranges.is_empty()),
    };
    let [low, high] = start.output_range;
    let shares = start.row_sum_error < 1e-3 && low >= 0.0 && high <= 1.0 && low < high;
    let floor = |classes: f64| (1.0 + (classes - 1.0) / std::f64::consts::E).ln();
    (logits && shares).then(|| {
        let mut finding = rule.finding().at("model.output").weigh(Severity::Warning, 0.95).evidence(format!(
            "outputs lie between {low:.4} and {high:.4}, and every row adds up to 1 within {:.0e}",
            start.row_sum_error
        ));
        if let Some(expected) = start.expected {
            let least = floor(expected.exp());
            finding =
                finding.evidence(format!("the loss can't fall below {least:.3}, from {:.3} now", start.loss));
        }
        finding
            .because(
                "the outputs are probabilities, and the loss takes a softmax of them once more",
                "the loss falls below that floor",
            )
            .fix("give logits", [("model.output", json!("none"))])
    })
}
