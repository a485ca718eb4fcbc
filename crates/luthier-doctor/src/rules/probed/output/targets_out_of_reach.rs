//! # OUT201 targets-out-of-reach
//!
//! ## What it finds
//! Targets that the output's activation can never give.
//!
//! ## Why it hurts
//! A ReLU gives nothing below 0, a sigmoid nothing outside 0 to 1. The loss stops at the distance, and the
//! output saturates on its way there.
//!
//! ## How it is measured
//! Smallest and largest target as the loss sees them against the bounds of what is done to the output. Named
//! when targets lie outside by more than 5 % of their range.
//!
//! ## Example
//! ```toml
//! [model]
//! output = "sigmoid"
//! [loss]
//! type = "mse"   # targets from 0 to 100
//! ```
//!
//! ## Fix
//! `model.output = "none"`; or scale the targets into the range.
//!
//! ## When it is wrong
//! When what lies outside are outliers that may be missed.
//!
//! ## Source
//! Ranges of the functions. Measured: a sigmoid output on targets 0 to 100 ends at R² of -1.19, a linear one
//! at 0.9.

use serde_json::json;

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "OUT201",
    "targets-out-of-reach",
    Category::Output,
    include_str!("targets_out_of_reach.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let act = view.output_act()?;
    let (low, high) = match act {
        "relu" => (0.0, f64::INFINITY),
        "sigmoid" | "softmax" => (0.0, 1.0),
        "tanh" => (-1.0, 1.0),
        "elu" => (-1.0, f64::INFINITY),
        _ => return None,
    };
    let ranges = &view.probes.targets.as_ref()?.ranges;
    let beyond = |[min, max, ..]: &&[f64; 4]| {
        let outside = (low - min).max(max - high);
        outside > 0.05 * (max - min).max(1e-12)
    };
    let [min, max, ..] = ranges.iter().find(beyond)?;
    Some(
        rule.finding()
            .at("model.output")
            .weigh(Severity::Error, 0.96)
            .evidence(format!(
                "targets go from {min:.4} to {max:.4}; {act} gives numbers from {low} to {high}"
            ))
            .because(
                "the output can't reach the targets, whatever the weights are",
                "targets as the loss sees them lie within the range",
            )
            .fix("give the last layer's numbers as they are", [("model.output", json!("none"))]),
    )
}
