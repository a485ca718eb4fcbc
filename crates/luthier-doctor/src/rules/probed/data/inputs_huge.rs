//! # DAT201 inputs-huge
//!
//! ## What it finds
//! Numbers that go into the network and are far larger than what its initial weights are made for: pictures
//! from 0 to 255, columns in grams or euros.
//!
//! ## Why it hurts
//! Initial weights keep the size of what goes in. Inputs of size s make outputs, the loss and every gradient
//! of the first layer about s times as large, and its curvature s² times: no learning rate that suits the
//! rest of the network suits it. ReLUs die and the loss ends at that of guessing.
//!
//! ## How it is measured
//! From as much of the first epoch as a second allows: the largest root mean square of a channel or feature.
//! Above 20 it is named. It is an error when the start shows it (loss far above theory, first update of more
//! than a tenth of the weights, rising losses) under SGD; a warning under optimizers that divide by the
//! gradient's size, which often get over it; and only noted when nothing shows.
//!
//! ## Example
//! ```toml
//! [data]
//! scale = "none"   # of columns from 0 to 255
//! ```
//!
//! ## Fix
//! `data.scale = "standardize"` for tables; for pictures `Normalize` in both transform chains.
//!
//! ## When it is wrong
//! When the first layer normalises its input itself: then nothing shows and it stays a note.
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
pub static RULE: Rule =
    super::super::cause("DAT201", "inputs-huge", Category::Data, include_str!("inputs_huge.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let rms = view.input_rms().filter(|_| signs::huge_inputs(view))?;
    let inputs = view.probes.inputs.as_ref()?;
    let (ratio, over) = (view.ratio().unwrap_or(0.0), view.loss_over_theory().unwrap_or(1.0));
    let curved = view.probes.curvature.is_some_and(|curvature| view.lr() * curvature > 2.0);
    let shows = ratio > 0.1 || over > 3.0 || view.rises() || (curved && !view.adaptive());
    let severity = match (shows, view.adaptive()) {
        (true, false) => Severity::Error,
        (true, true) => Severity::Warning,
        (false, _) => Severity::Info,
    };
    let mut finding = rule.finding().at("data.scale").weigh(severity, if shows { 0.93 } else { 0.5 });
    finding = finding.evidence(format!(
        "numbers from {:.4} to {:.4} go into the network; the largest feature has the root mean square {rms:.1}",
        inputs.min, inputs.max
    ));
    if let Some(start) = view.start() {
        finding = finding.evidence(format!(
            "the loss starts at {:.3}, {over:.1} times what knowing nothing costs; outputs have the deviation {:.1}",
            start.loss, start.output_std
        ));
    }
    let finding = finding
        .evidence(format!("the first update changes the weights by {:.2} % of their size", 100.0 * ratio))
        .because(
            "initial weights are made for inputs of size 1; these make outputs and the first layer's gradient as many \
             times too large",
            "the same run with standardised inputs does no better",
        );
    // pictures are scaled by their transforms, and only their user knows the checkpoint's: the fix is dropped there
    Some(finding.fix("standardise the features", [("data.scale", json!("standardize"))]))
}
