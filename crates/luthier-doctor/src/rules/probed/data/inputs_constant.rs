//! # DAT205 inputs-constant
//!
//! ## What it finds
//! Inputs that are the same for every sample.
//!
//! ## Why it hurts
//! There is nothing to learn from: the best that can be is the most frequent class, or the mean.
//!
//! ## How it is measured
//! Standard deviation of every channel or feature over the first epoch: all of them zero.
//!
//! ## Example
//! `data.features` names only columns that hold one value.
//!
//! ## Fix
//! Look at the files and at the transform chain: one of them makes everything the same.
//!
//! ## When it is wrong
//! When the labels alone are to be learned.
//!
//! ## Source
//! Karpathy, A Recipe for Training Neural Networks (2019): look at what goes in.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "DAT205",
    "inputs-constant",
    Category::Data,
    include_str!("inputs_constant.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let inputs = view.probes.inputs.as_ref()?;
    let constant = !inputs.std.is_empty() && inputs.count > inputs.std.len() as u64 && inputs.bad.is_empty();
    let size = inputs.max.abs().max(inputs.min.abs()).max(1e-30);
    // what is left of a mean's rounding
    if !constant || inputs.std.iter().any(|std| *std > 1e-7 * size) {
        return None;
    }
    Some(
        rule.finding()
            .at("data")
            .weigh(Severity::Error, 0.97)
            .evidence(format!("all {} numbers of an epoch do not differ between samples", inputs.count))
            .because(
                "every sample is the same to the network, so that it can learn how often each answer comes and no more",
                "a second look shows inputs that differ",
            ),
    )
}
