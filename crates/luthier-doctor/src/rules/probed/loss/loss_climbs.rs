//! # LOS203 loss-climbs
//!
//! ## What it finds
//! A step against the gradient that makes the loss larger by as much as it should make it smaller.
//!
//! ## Why it hurts
//! The sign is wrong somewhere: the training climbs.
//!
//! ## How it is measured
//! A step so small that it should take away a thousandth of the loss. It must fall by about that; a wrong
//! sign makes it rise by about that. Anything else is noise or curvature, and is not named.
//!
//! ## Example
//! A loss of `-cross_entropy`.
//!
//! ## Fix
//! Minimise the loss itself.
//!
//! ## When it is wrong
//! When the loss is as curved as it is steep: then the rise would not be of the size that theory gives.
//!
//! ## Source
//! Taylor's theorem, first order.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("LOS203", "loss-climbs", Category::Loss, include_str!("loss_climbs.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let sign = view.probes.sign?;
    let rose = (sign.after - sign.before) / -sign.expected;
    (sign.expected < 0.0 && (0.5..1.5).contains(&rose)).then(|| {
        rule.finding()
            .at("loss")
            .weigh(Severity::Error, 0.9)
            .evidence(format!(
                "a step against the gradient takes the loss from {:.6} to {:.6}; it should have changed by {:.1e}",
                sign.before, sign.after, sign.expected
            ))
            .because("updates go up the loss, not down: a sign is wrong", "the loss falls in the first updates")
    })
}
