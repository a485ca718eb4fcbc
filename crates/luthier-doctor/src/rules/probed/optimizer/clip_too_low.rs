//! # OPT203 clip-below-gradients
//!
//! ## What it finds
//! A clipping threshold so low that it, not the rate, decides how far every update goes.
//!
//! ## Why it hurts
//! Clipping is for the rare large gradient. Where every gradient is cut to a twentieth or less, the rate is
//! divided by as much.
//!
//! ## How it is measured
//! Every one of the first updates is clipped, to less than 5 % of its norm, and moves the weights by less
//! than 5e-4; without clipping they would move by a sane amount. Optimizers that divide by the gradient's
//! size undo it and are left out.
//!
//! ## Example
//! ```toml
//! [train]
//! clip_grad_norm = 0.01
//! ```
//!
//! ## Fix
//! A threshold that the larger gradients alone reach: twice the norm seen at the start.
//!
//! ## When it is wrong
//! When the gradients of later updates are far smaller.
//!
//! ## Source
//! Godbole et al., Deep Learning Tuning Playbook (2023): a threshold that clips more than half of the updates
//! is too low. Measured: 0.01 where the norm is 2.1 leaves 8e-5 and 20 %.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "OPT203",
    "clip-below-gradients",
    Category::Optimizer,
    include_str!("clip_too_low.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let share = signs::overclipped(view).filter(|_| !signs::not_the_rate(view))?;
    let clip = view.recipe()?.train.clip_grad_norm?;
    let largest = view.probes.steps.iter().map(|step| step.grad_norm).fold(0.0, f64::max);
    Some(
        rule.finding()
            .at("train.clip_grad_norm")
            .weigh(Severity::Error, 0.93)
            .evidence(format!(
                "every one of the first {} updates is clipped to {clip}, {:.2} % of its gradient's norm at most",
                view.probes.steps.len(),
                100.0 * share
            ))
            .evidence(format!("the first update changes the weights by {:.1e} of their size", view.ratio()?))
            .because(
                "clipping divides every update by a large number: it acts as a rate that is too low",
                "the same run without clipping does no better",
            )
            .fix(
                "let the larger gradients alone be clipped",
                [("train.clip_grad_norm", json!(super::super::round(2.0 * largest)))],
            ),
    )
}
