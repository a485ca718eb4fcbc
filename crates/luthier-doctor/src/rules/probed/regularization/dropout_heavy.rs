//! # REG201 dropout-heavy
//!
//! ## What it finds
//! Dropout that changes the loss of a batch by a third from one pass to the next.
//!
//! ## Why it hurts
//! Each update then follows a gradient that is mostly noise. It may be what a small data set needs, and it
//! may be why training accuracy stays below that of evaluation.
//!
//! ## How it is measured
//! One batch twice in training mode with other random numbers: losses more than 30 % of their mean apart. A
//! note, for it does harm only on hard data.
//!
//! ## Example
//! ```toml
//! [[model.layers]]
//! dropout = 0.9
//! ```
//!
//! ## Fix
//! `model.dropout`, or the layers' own, at 0.1 to 0.5.
//!
//! ## When it is wrong
//! On data that are easy: dropout of 0.9 left nothing to wish for on drawn digits.
//!
//! ## Source
//! Srivastava et al., Dropout (2014), section 7.3.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "REG201",
    "dropout-heavy",
    Category::Regularization,
    include_str!("dropout_heavy.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let [a, b] = view.probes.repeat?.training;
    let apart = (a - b).abs() / (0.5 * (a + b)).abs().max(1e-12);
    (apart > 0.3 && apart.is_finite()).then(|| {
        rule.finding()
            .at("model.dropout")
            .weigh(Severity::Info, 0.5)
            .evidence(format!("one batch has the losses {a:.4} and {b:.4} in two passes of training"))
            .because("dropout makes most of what an update follows", "a larger batch gives the same")
    })
}
