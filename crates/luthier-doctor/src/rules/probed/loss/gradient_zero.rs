//! # LOS204 gradient-zero
//!
//! ## What it finds
//! A finite loss whose gradient is exactly 0 in every trained tensor.
//!
//! ## Why it hurts
//! Nothing moves. The loss does not depend on the weights: labels are masked, the outputs are cut off, or the
//! network is flat where it stands.
//!
//! ## How it is measured
//! Norm of the gradient of every trained tensor on the first batch, and of the first updates: all exactly 0.
//! Silent where dead units, equal weights or a flat output explain it.
//!
//! ## Example
//! A text of which every label is masked.
//!
//! ## Fix
//! Follow the loss back to the first tensor that has a gradient.
//!
//! ## When it is wrong
//! When the loss is 0 because everything is learned.
//!
//! ## Source
//! Every trained tensor moves or there is a reason: TrainCheck (Jiang et al. 2025).

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("LOS204", "gradient-zero", Category::Loss, include_str!("gradient_zero.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let start = view.start()?;
    let none =
        |points: &[crate::TensorPoint]| !points.is_empty() && points.iter().all(|point| point.grad == 0.0);
    let steps =
        view.probes.steps.iter().filter(|step| !step.tensors.is_empty()).all(|step| none(&step.tensors));
    let explained = signs::dead_layer(view).is_some()
        || !signs::twin_layers(view).is_empty()
        || start.output_range == [1.0, 1.0]
        || (view.output_act() == Some("relu") && start.output_range == [0.0, 0.0])
        || signs::huge_inputs(view)
        || signs::large_start(view);
    (none(&start.gradients) && steps && start.loss.is_finite() && !explained).then(|| {
        rule.finding()
            .at("loss")
            .weigh(Severity::Error, 0.9)
            .evidence(format!(
                "the loss is {:.4}, and the gradient of all {} trained tensors is exactly 0",
                start.loss,
                start.gradients.len()
            ))
            .because(
                "the loss does not depend on the weights, so that nothing will be learned",
                "a tensor moves",
            )
    })
}
