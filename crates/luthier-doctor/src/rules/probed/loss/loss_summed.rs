//! # LOS202 loss-summed
//!
//! ## What it finds
//! A loss that is the sum over the batch in place of its mean.
//!
//! ## Why it hurts
//! The gradient grows with the batch: a rate that suits a mean is as many times too high as the batch has
//! samples. Optimizers that divide by the gradient's size don't notice.
//!
//! ## How it is measured
//! Loss and gradient of a batch and of the same samples several times over. A mean stays, a sum grows by that
//! factor. It is an error where the first update is larger than a tenth of the weights or the first losses
//! rise under SGD; where updates have a sane size it does no harm and is only noted.
//!
//! ## Example
//! ```toml
//! [loss]
//! type = "cross_entropy"
//! reduction = "sum"
//! [optim]
//! type = "SGD"
//! lr = 0.1
//! ```
//!
//! ## Fix
//! `loss.reduction = "mean"`, or divide the rate by the batch size.
//!
//! ## When it is wrong
//! When the rate was chosen for the sum: then updates are of a sane size and it stays a note.
//!
//! ## Source
//! Measured: 784-64-10, SGD 0.1, batch 32: gradient norm 67.7 for a sum, 2.11 for a mean; 99 % dead units
//! after four epochs.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("LOS202", "loss-summed", Category::Loss, include_str!("loss_summed.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let times = signs::summed(view)?;
    let reduction = view.probes.reduction?;
    let ratio = view.ratio().unwrap_or(0.0);
    let curved = view.probes.curvature.is_some_and(|curvature| view.lr() * curvature > 4.0);
    let hurts = !view.adaptive() && (ratio > 0.1 || view.rises() || curved);
    let (severity, sure) = if hurts { (Severity::Error, 0.95) } else { (Severity::Info, 0.9) };
    Some(
        rule.finding()
            .at("loss.reduction")
            .weigh(severity, sure)
            .evidence(format!(
                "the gradient of {} samples is {:.3}, of the same samples {times:.0} times over {:.3}",
                reduction.sizes[0], reduction.grads[0], reduction.grads[1]
            ))
            .evidence(format!("the first update changes the weights by {:.2} % of their size", 100.0 * ratio))
            .because(
                "the loss is summed over the batch, so that gradients are as many times too large as a batch has samples",
                "the gradient does not grow with the batch",
            )
            .fix("take the mean", [("loss.reduction", json!("mean"))]),
    )
}
