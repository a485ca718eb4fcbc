//! # ATT202 padding-seen
//!
//! ## What it finds
//! A text that gives something else when padding stands beside it.
//!
//! ## Why it hurts
//! Filling up is no part of the text. Where attention sees it, a prediction depends on how long the batch's
//! longest text is.
//!
//! ## How it is measured
//! A text alone and beside a longer one: the largest relative change of what the head reads. Above 1e-3 it is
//! named, in bf16 above 0.05.
//!
//! ## Example
//! An attention whose padding mask is left out or inverted.
//!
//! ## Fix
//! Mask padding in every attention, and leave it out of the mean.
//!
//! ## When it is wrong
//! When positions are counted from the padded end on purpose.
//!
//! ## Source
//! Vaswani et al. (2017); `attention_mask` of every encoder.

use luthier_plan::ResolvedPrecision;

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("ATT202", "padding-seen", Category::Attention, include_str!("padding_seen.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let half = view.facts().plan.is_some_and(|plan| plan.precision != ResolvedPrecision::Fp32);
    let padding = view.probes.padding.filter(|padding| *padding > if half { 0.05 } else { 1e-3 })?;
    Some(
        rule.finding()
            .at("model")
            .weigh(Severity::Error, 0.93)
            .evidence(format!(
                "beside a longer text, a text gives what differs by {:.2} % of its spread",
                100.0 * padding
            ))
            .because("attention sees the padding", "the text gives the same alone and in a batch"),
    )
}
