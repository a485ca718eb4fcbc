//! # DAT210 targets-far
//!
//! ## What it finds
//! Targets of a regression that are hundreds of times larger than what a network gives at the start.
//!
//! ## Why it hurts
//! Outputs begin near 0. The gradient of a squared error grows with the distance, so plain SGD diverges;
//! optimizers with steps of a fixed size need as many more of them to get there.
//!
//! ## How it is measured
//! Root mean square of the targets as the loss sees them: above 100. It is an error when the first update is
//! larger than a tenth of the weights or the first losses rise; otherwise a warning.
//!
//! ## Example
//! ```toml
//! [data]
//! scale_target = "none"   # of prices in euros
//! ```
//!
//! ## Fix
//! `data.scale_target = "standardize"`; metrics are told in the targets' own units all the same.
//!
//! ## When it is wrong
//! When the last layer's bias starts at their mean and their deviation is small.
//!
//! ## Source
//! LeCun, Bottou, Orr and Müller, Efficient BackProp (1998), section 4.5. Measured: targets of 1e8 unscaled
//! leave R² at -0.56, scaled 0.99.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("DAT210", "targets-far", Category::Data, include_str!("targets_far.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let rms = view.target_rms().filter(|_| signs::far_targets(view))?;
    let ratio = view.ratio().unwrap_or(0.0);
    let shows = !view.adaptive() && (ratio > 0.1 || view.rises());
    let (severity, sure) = if shows { (Severity::Error, 0.9) } else { (Severity::Warning, 0.75) };
    Some(
        rule.finding()
            .at("data.scale_target")
            .weigh(severity, sure)
            .evidence(format!("the largest target has the root mean square {rms:.3e}; outputs start near 0"))
            .evidence(format!("the first update changes the weights by {:.2} % of their size", 100.0 * ratio))
            .because(
                "errors, and with them gradients, are as large as the targets, while weights and rates are made for \
                 targets of size 1",
                "the same run with standardised targets does no better",
            )
            .fix("standardise the targets", [("data.scale_target", json!("standardize"))]),
    )
}
