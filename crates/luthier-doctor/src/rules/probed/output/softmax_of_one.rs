//! # OUT203 softmax-of-one
//!
//! ## What it finds
//! A softmax over a single output: it is 1 whatever goes in.
//!
//! ## Why it hurts
//! The share of one among one is 1. The gradient is exactly 0, and the prediction is the same for every
//! sample.
//!
//! ## How it is measured
//! Every output of the first batch is exactly 1 and is one row's only number.
//!
//! ## Example
//! ```toml
//! [model]
//! output = "softmax"   # behind one unit
//! ```
//!
//! ## Fix
//! A sigmoid for two classes, nothing for a regression.
//!
//! ## When it is wrong
//! Never.
//!
//! ## Source
//! The definition of softmax.

use serde_json::json;

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "OUT203",
    "softmax-of-one",
    Category::Output,
    include_str!("softmax_of_one.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let start = view.start()?;
    let softmax = view.output_act().is_none_or(|act| act == "softmax");
    (softmax && start.output_range == [1.0, 1.0] && start.row_sum_error < 1e-6).then(|| {
        let regression = view.probes.targets.as_ref().is_some_and(|targets| !targets.ranges.is_empty());
        let other = if regression { "none" } else { "sigmoid" };
        rule.finding()
            .at("model.output")
            .weigh(Severity::Error, 0.98)
            .evidence("every output of the first batch is exactly 1")
            .because("a softmax over one number is 1 and has no gradient", "outputs differ between samples")
            .fix(format!("put {other} in its place"), [("model.output", json!(other))])
    })
}
