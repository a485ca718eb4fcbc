//! # OUT202 output-flat
//!
//! ## What it finds
//! An output that is stuck where its activation has no slope: a ReLU at 0, a sigmoid or softmax at its ends.
//!
//! ## Why it hurts
//! Where the slope is 0 no gradient passes: the network cannot leave where it starts.
//!
//! ## How it is measured
//! Outputs of the first batch: all exactly 0 behind a ReLU, or nine tenths of them where a squashing function
//! is flat to a thousandth. Silent where huge inputs, initial weights or far targets explain it.
//!
//! ## Example
//! ```toml
//! [model]
//! output = "relu"
//! ```
//!
//! ## Fix
//! `model.output = "none"`.
//!
//! ## When it is wrong
//! When the loss takes probabilities and undoes the saturation.
//!
//! ## Source
//! Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010).

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("OUT202", "output-flat", Category::Output, include_str!("output_flat.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let start = view.start().filter(|_| !view.pretrained())?;
    let act = view.output_act()?;
    let zero = act == "relu" && start.output_range == [0.0, 0.0];
    let last = start.outputs.iter().rfind(|point| view.act(point) == Some(act));
    let saturated = last.is_some_and(|last| last.saturated > 0.9);
    // a width-one softmax has its own rule
    let one_wide = start.output_range == [1.0, 1.0];
    let explained = signs::huge_inputs(view)
        || signs::large_start(view)
        || signs::dead_layer(view).is_some()
        || !signs::twin_layers(view).is_empty();
    ((zero || saturated) && !one_wide && !explained).then(|| {
        rule.finding()
            .at("model.output")
            .weigh(Severity::Error, 0.85)
            .evidence(format!(
                "outputs of the first batch go from {} to {} behind {act}",
                start.output_range[0], start.output_range[1]
            ))
            .because(
                "the output starts where its activation is flat, so that hardly a gradient passes",
                "the gradient of the last layer is as large as without the activation",
            )
            .fix("give the last layer's numbers as they are", [("model.output", json!("none"))])
    })
}
