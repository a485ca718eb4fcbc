//! # DAT203 inputs-not-finite
//!
//! ## What it finds
//! Samples with a number that is NaN or infinite.
//!
//! ## Why it hurts
//! One such number makes the loss of its batch NaN, the gradient of every weight with it, and the weights
//! from then on.
//!
//! ## How it is measured
//! Every number that goes in is looked at, for as much of the first epoch as a second allows; the samples are
//! named.
//!
//! ## Example
//! ```toml
//! [data]
//! on_error = "keep"   # lets empty cells in
//! ```
//!
//! ## Fix
//! `data.on_error = "skip"` leaves such rows out; better repair them.
//!
//! ## When it is wrong
//! Never: a network cannot compute with them.
//!
//! ## Source
//! IEEE 754: every sum with a NaN is one.

use serde_json::json;

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "DAT203",
    "inputs-not-finite",
    Category::Data,
    include_str!("inputs_not_finite.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let bad = &view.probes.inputs.as_ref()?.bad;
    let first = bad.first()?;
    let more = if bad.len() > 1 {
        format!(" and {} more: {}", bad.len() - 1, bad[1..].join(", "))
    } else {
        String::new()
    };
    Some(
        rule.finding()
            .at(first.clone())
            .weigh(Severity::Error, 0.99)
            .evidence(format!("{first} holds a number that is not finite{more}"))
            .because(
                "one number that is not finite makes the loss of its batch NaN, and every weight after the next update",
                "the file holds numbers at these places",
            )
            .fix("leave these samples out", [("data.on_error", json!("skip"))]),
    )
}
