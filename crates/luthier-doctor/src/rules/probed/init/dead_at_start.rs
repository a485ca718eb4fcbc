//! # INI201 dead-at-start
//!
//! ## What it finds
//! A layer of ReLUs that gives 0 for every sample before the first update, so that nothing before it gets a
//! gradient.
//!
//! ## Why it hurts
//! A ReLU passes no gradient where it gives 0. If all of a layer do, for all samples, whatever is before them
//! never moves: it was dead before training and stays it.
//!
//! ## How it is measured
//! Share of units of each ReLU that give 0 for the whole first batch: all of them, while the gradient of the
//! first layer is exactly 0 in that batch and in those of the first updates. Equal or zero weights have a
//! rule of their own. A large negative bias is told from the bias's size, inputs without a positive number
//! from the inputs.
//!
//! ## Example
//! ```toml
//! [model]
//! init = { weights = "he_normal", bias = -20.0 }
//! ```
//!
//! ## Fix
//! Start biases at 0: `model.init = { weights = "he_normal", bias = 0.0 }`.
//!
//! ## When it is wrong
//! When a path goes round the layer: then the first layer has a gradient, and the rule is silent.
//!
//! ## Source
//! He et al., Delving Deep into Rectifiers (2015). Dying ReLUs are a symptom: here the start is the cause.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("INI201", "dead-at-start", Category::Init, include_str!("dead_at_start.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let layer = signs::dead_layer(view).filter(|_| signs::twin_layers(view).is_empty())?;
    let start = view.start()?;
    let mut finding = rule.finding().at("model.init").weigh(Severity::Error, 0.95).evidence(format!(
        "every unit of {layer} gives 0 for the whole first batch, and the first layer's gradient is exactly 0"
    ));
    let biases = start.gradients.iter().filter(|point| point.name.ends_with("bias"));
    let size = |point: &crate::TensorPoint| point.norm / view.scalars(&point.name).unwrap_or(1.0).sqrt();
    if let Some((name, size)) = biases
        .map(|point| (&point.name, size(point)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|it| it.1 > 1.0)
    {
        finding = finding.evidence(format!("{name} starts with numbers of size {size:.1}"));
    }
    if let Some(inputs) = view.probes.inputs.as_ref().filter(|inputs| inputs.max <= 0.0) {
        finding = finding.evidence(format!("no input is above 0: the largest is {:.3}", inputs.max));
    }
    Some(
        finding
            .because(
                "the initial weights and biases keep a whole layer of ReLUs at 0, where no gradient passes",
                "the first layer moves in the first updates",
            )
            .fix(
                "start with He's weights and biases of 0",
                [("model.init", json!({ "weights": "he_normal", "bias": 0.0 }))],
            ),
    )
}
