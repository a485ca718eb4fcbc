//! # INI202 units-equal
//!
//! ## What it finds
//! Units of a layer that start as the same unit: constant or zero weights.
//!
//! ## Why it hurts
//! Equal units get equal gradients and stay equal: a layer of 64 is a layer of one. With zeros everywhere
//! nothing before the head gets a gradient at all.
//!
//! ## How it is measured
//! Largest cosine between the weights (with bias) of two units of each layer before the head: 1 to nine
//! digits. Layers of one or two inputs are left out, for directions in a plane come close by chance; so are
//! low-rank pairs, and zeros that something goes round.
//!
//! ## Example
//! ```toml
//! [model]
//! init = { weights = "constant", value = 0.01 }
//! ```
//!
//! ## Fix
//! `model.init = { weights = "he_normal", bias = 0.0 }`.
//!
//! ## When it is wrong
//! When dropout makes equal units unequal, slowly.
//!
//! ## Source
//! Goodfellow, Bengio and Courville, Deep Learning (2016), section 8.4: initial parameters must break
//! symmetry.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("INI202", "units-equal", Category::Init, include_str!("units_equal.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let layers = signs::twin_layers(view);
    let first = layers.first()?;
    let mut finding = rule.finding().at("model.init").weigh(Severity::Error, 0.97).evidence(format!(
        "units of {} start as the same unit",
        if layers.len() > 1 { format!("{} layers, {first} the first,", layers.len()) } else { first.clone() }
    ));
    if view.cut_off() {
        finding = finding.evidence("the first layer gets no gradient at all");
    }
    Some(
        finding
            .because(
                "equal units get equal gradients and stay equal, so that a layer counts as one unit",
                "the units differ after a few updates",
            )
            .fix(
                "draw the weights at random",
                [("model.init", json!({ "weights": "he_normal", "bias": 0.0 }))],
            ),
    )
}
