//! # INI204 signal-explodes
//!
//! ## What it finds
//! Initial weights so large that outputs and loss start far above theory.
//!
//! ## Why it hurts
//! Each layer multiplies what it gets. Where outputs start at tens in place of ones, the model begins as one
//! that is sure and wrong: the loss is many times ln C, gradients are as large, and the first updates tear
//! the weights about.
//!
//! ## How it is measured
//! Loss at the start over ln C above 3 with outputs of a deviation above 4, inputs of a usual size taken into
//! account; the deviation of each layer says where it grows. Optimizers that divide by the gradient's size
//! often get over it: there it is a warning.
//!
//! ## Example
//! ```toml
//! [model]
//! init = { weights = "normal", std = 0.5 }
//! ```
//!
//! ## Fix
//! `model.init = { weights = "he_normal", bias = 0.0 }`.
//!
//! ## When it is wrong
//! When outputs are meant to be large, as for a loss with a temperature.
//!
//! ## Source
//! He et al., Delving Deep into Rectifiers (2015). Measured: six layers of 32 at std 0.5 start at a loss of
//! 286 and become NaN in two of three seeds.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "INI204",
    "signal-explodes",
    Category::Init,
    include_str!("signal_explodes.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let start = view.start().filter(|_| signs::large_start(view))?;
    let over = view.loss_over_theory()?;
    let severity = if view.adaptive() { Severity::Warning } else { Severity::Error };
    let mut finding = rule.finding().at("model.init").weigh(severity, 0.9).evidence(format!(
        "the loss starts at {:.2}, {over:.0} times what knowing nothing costs; outputs have the deviation {:.1}",
        start.loss, start.output_std
    ));
    let hidden = view.hidden();
    if let [first, .., last] = &hidden[..] {
        finding = finding.evidence(format!(
            "{} has the deviation {:.2}, {} {:.2}",
            first.name, first.std, last.name, last.std
        ));
    }
    Some(
        finding
            .because(
                "the initial weights are so large that outputs are tens where they should be ones",
                "the loss is near theory after a few updates",
            )
            .fix(
                "start with weights that keep the size of what goes through",
                [("model.init", json!({ "weights": "he_normal", "bias": 0.0 }))],
            ),
    )
}
