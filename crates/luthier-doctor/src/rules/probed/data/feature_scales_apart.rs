//! # DAT204 feature-scales-apart
//!
//! ## What it finds
//! Features whose scales lie more than a factor of a thousand apart.
//!
//! ## Why it hurts
//! The loss is curved as the squares of the features: a million times more along one than along another. The
//! rate that the largest allows leaves the smallest unlearned.
//!
//! ## How it is measured
//! Standard deviation of each feature over the first epoch, largest over smallest, constant ones left out;
//! above 1000 it is named. Silent where the inputs are huge or tiny as a whole, which has its own rule.
//!
//! ## Example
//! ```toml
//! [data]
//! scale = "none"
//! ```
//!
//! ## Fix
//! `data.scale = "standardize"`.
//!
//! ## When it is wrong
//! When the small features carry nothing, or the first layer normalises each feature.
//!
//! ## Source
//! LeCun, Bottou, Orr and Müller, Efficient BackProp (1998), section 4.3.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "DAT204",
    "feature-scales-apart",
    Category::Data,
    include_str!("feature_scales_apart.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

/// Curvature goes with the square: a million.
const APART: f64 = 1e3;

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let inputs = view.probes.inputs.as_ref()?;
    // words become columns of 0 and 1, and rare ones have small deviations: their size is 1 all the same
    let largest = inputs.std.iter().copied().fold(0.0, f64::max);
    let varying = inputs.std.iter().copied().filter(|std| *std > 1e-12 * largest.max(1.0));
    let smallest = varying.fold(f64::INFINITY, f64::min);
    if signs::huge_inputs(view) || signs::tiny_inputs(view) || largest / smallest <= APART {
        return None;
    }
    Some(
        rule.finding()
            .at("data.scale")
            .weigh(Severity::Warning, 0.7)
            .evidence(format!("features have standard deviations from {smallest:.1e} to {largest:.1e}"))
            .because(
                "the loss is curved as the squares of the features: what suits the largest leaves the smallest unlearned",
                "standardised features do no better",
            )
            .fix("standardise the features", [("data.scale", json!("standardize"))]),
    )
}
