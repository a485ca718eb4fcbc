//! # DAT202 inputs-tiny
//!
//! ## What it finds
//! Inputs that are all but zero, as pictures that were divided by 255 twice.
//!
//! ## Why it hurts
//! What goes in multiplies the first layer's gradient and what comes out: the network sees constants, the
//! loss stays at that of guessing and falls very slowly. It looks like a learning rate that is too low.
//!
//! ## How it is measured
//! Largest |x| over the first epoch: below 0.02 although the inputs differ. One division of bytes gives up to
//! 1, two give up to 0.004. A network that normalises its input is not harmed: it is an error only where
//! outputs hardly differ between samples.
//!
//! ## Example
//! ```toml
//! [data]
//! scale = "none"   # of columns that were divided before
//! ```
//!
//! ## Fix
//! Standardise, or take one of the divisions out.
//!
//! ## When it is wrong
//! When the first layer normalises.
//!
//! ## Source
//! Measured: 784-64-10 on digits divided by 255 twice stays at 2.30 and 11 % after four epochs; once divided
//! it reaches 100 %.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("DAT202", "inputs-tiny", Category::Data, include_str!("inputs_tiny.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let inputs = view.probes.inputs.as_ref().filter(|_| signs::tiny_inputs(view))?;
    let start = view.start();
    // outputs of a usual start differ by a few tenths; these differ by biases alone
    let seen = start.is_none_or(|start| start.output_std < 0.05);
    // Adam's steps have the size of the rate, however small the gradients are: measured, it gets there all the same
    let severity = match (seen, view.adaptive()) {
        (true, false) => Severity::Error,
        (true, true) => Severity::Warning,
        (false, _) => Severity::Info,
    };
    let mut finding = rule
        .finding()
        .at("data.scale")
        .weigh(severity, if seen { 0.93 } else { 0.4 })
        .evidence(format!("numbers from {:.2e} to {:.2e} go into the network", inputs.min, inputs.max));
    if let Some(start) = start {
        finding = finding.evidence(format!(
            "the loss starts at {:.4} and outputs differ by {:.1e} between samples",
            start.loss, start.output_std
        ));
    }
    finding = finding.because(
        "the network sees all but the same for every sample: its inputs were scaled down once too often",
        "standardised inputs make it no faster",
    );
    // pictures are scaled by their transforms, and only their user knows the checkpoint's: the fix is dropped there
    Some(finding.fix("standardise the features", [("data.scale", json!("standardize"))]))
}
