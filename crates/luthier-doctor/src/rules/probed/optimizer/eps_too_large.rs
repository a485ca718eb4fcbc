//! # OPT204 eps-too-large
//!
//! ## What it finds
//! An `eps` of Adam that is larger than the gradients.
//!
//! ## Why it hurts
//! Adam divides the gradient by its own size plus `eps`. Where `eps` is the larger it is all that counts: the
//! steps are as many times too small, and Adam is SGD with a low rate.
//!
//! ## How it is measured
//! Adam's very first step is the rate in every element that has a gradient, whatever the gradient: ‖Δw‖ = lr
//! · √n. Where no tensor gets to a tenth of that and `eps` is above 1e-4, `eps` is the cause.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "Adam"
//! eps = 1.0
//! ```
//!
//! ## Fix
//! `optim.eps = 1e-8`.
//!
//! ## When it is wrong
//! When `eps` is large on purpose and the rate with it, as in some Inception recipes: then compare the
//! updates' sizes.
//!
//! ## Source
//! Kingma and Ba, Adam (2015), section 2.1. Measured: eps 1.0 leaves updates of 1.7e-4, a hundredth of
//! healthy ones.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "OPT204",
    "eps-too-large",
    Category::Optimizer,
    include_str!("eps_too_large.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let (eps, share) = signs::large_eps(view).filter(|_| !signs::not_the_rate(view))?;
    let ratio = view.ratio()?;
    // a rate that was raised with it moves the weights all the same
    let (severity, sure) = if ratio < 1e-3 { (Severity::Error, 0.93) } else { (Severity::Info, 0.6) };
    Some(
        rule.finding()
            .at("optim.eps")
            .weigh(severity, sure)
            .evidence(format!(
                "eps is {eps}; the first step is at most {share:.1e} of the rate in an element"
            ))
            .evidence(format!("it changes the weights by {ratio:.1e} of their size"))
            .because(
                "eps is larger than the gradients, so that it, not their size, is what steps are divided by",
                "the same run with eps = 1e-8 does no better",
            )
            .fix("take Adam's own", [("optim.eps", json!(1e-8))]),
    )
}
