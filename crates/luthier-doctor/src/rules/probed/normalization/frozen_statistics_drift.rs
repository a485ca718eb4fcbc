//! # NRM201 frozen-statistics-drift
//!
//! ## What it finds
//! Running statistics of frozen layers that move.
//!
//! ## Why it hurts
//! BatchNorm's mean and variance are no parameters: freezing weights leaves them running. The frozen features
//! change under a head that is learned on them, and evaluation differs from the checkpoint.
//!
//! ## How it is measured
//! Buffers of layers without a trained parameter, before the first update and after the last of the first
//! five.
//!
//! ## Example
//! `model.freeze` of a backbone in a program that leaves its BatchNorm in training mode.
//!
//! ## Fix
//! Keep frozen BatchNorm in evaluation mode.
//!
//! ## When it is wrong
//! When statistics are meant to adapt to new data (AdaBN).
//!
//! ## Source
//! `torch.nn.BatchNorm2d`: statistics are updated in every forward pass in training mode.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "NRM201",
    "frozen-statistics-drift",
    Category::Normalization,
    include_str!("frozen_statistics_drift.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let drifted = &view.probes.drifted_buffers;
    let first = drifted.first()?;
    Some(
        rule.finding()
            .at(first.clone())
            .weigh(Severity::Warning, 0.9)
            .evidence(format!(
                "{} buffers of frozen layers moved in the first updates, {first} the first",
                drifted.len()
            ))
            .because(
                "frozen normalisation layers run in training mode, so that frozen features are not",
                "the buffers are equal to the checkpoint's",
            ),
    )
}
