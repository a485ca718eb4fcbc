//! # ACT201 squashed-away
//!
//! ## What it finds
//! A stack of sigmoids, tanhs or softmaxes in which the signal is lost.
//!
//! ## Why it hurts
//! A sigmoid's slope is a quarter at most. Six of them leave a four-thousandth of the gradient for the first
//! layer: it does not learn, and the layers above learn from noise.
//!
//! ## How it is measured
//! The first layer's gradient over the last one's, each relative to its weights: below 3e-3 with two
//! squashing layers or more; three such layers leave 2e-2. Outputs that differ less than 1e-4 of what inputs
//! do count too. Optimizers that divide by the gradient's size make up for it: there it is a note.
//!
//! ## Example
//! ```toml
//! [[model.layers]]
//! act = "sigmoid"   # six times
//! ```
//!
//! ## Fix
//! ReLUs with He's start, a normalisation between the layers, or Adam.
//!
//! ## When it is wrong
//! When the first layer need not learn.
//!
//! ## Source
//! Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010).
//! Measured: 6 x 32 sigmoids under SGD 0.1 stay at 10 %; ReLUs reach 100 %.

use luthier_recipe::Layer;
use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "ACT201",
    "squashed-away",
    Category::Activation,
    include_str!("squashed_away.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let seen = signs::vanishing(view).filter(|_| view.squashing() >= 2)?;
    let (severity, sure) = if view.adaptive() { (Severity::Info, 0.6) } else { (Severity::Error, 0.9) };
    let mut finding = rule.finding().at("model.layers").weigh(severity, sure);
    finding.evidence = seen;
    let finding = finding
        .evidence(format!("{} hidden activations squash what they get", view.squashing()))
        .because(
            "each squashing layer passes a quarter of the gradient at most, so that nothing arrives at the first layers",
            "the first layer's weights move as much as the last one's",
        );
    let Some(layers) = view.recipe().and_then(|recipe| recipe.model.layers.as_ref()) else {
        return Some(finding);
    };
    let relus: Vec<Layer> = layers.iter().map(|layer| with_relu(layer.clone())).collect();
    Some(finding.fix(
        "take ReLUs, and weights made for them",
        [("model.layers", json!(relus)), ("model.init", json!({ "weights": "he_normal", "bias": 0.0 }))],
    ))
}

fn with_relu(mut layer: Layer) -> Layer {
    use luthier_recipe::Act;
    layer.act = layer.act.map(|act| match act {
        Act::Sigmoid | Act::Tanh | Act::Softmax => Act::Relu,
        other => other,
    });
    layer
}
