//! # ATT203 order-unseen
//!
//! ## What it finds
//! A text model that gives the same whatever the order of the tokens.
//!
//! ## Why it hurts
//! Attention alone is blind to order. Without positions `dog bites man` is `man bites dog`.
//!
//! ## How it is measured
//! A text and the same with its inner tokens turned round: what the head reads changes by nothing but
//! rounding.
//!
//! ## Example
//! Position embeddings that are zero or not added.
//!
//! ## Fix
//! Add positions to the embeddings; check that they were loaded.
//!
//! ## When it is wrong
//! When a bag of words is meant.
//!
//! ## Source
//! Vaswani et al. (2017), section 3.5.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("ATT203", "order-unseen", Category::Attention, include_str!("order_unseen.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    view.probes.positions.filter(|change| *change < 1e-6)?;
    // where outputs are constants, everything leaves them the same
    view.start().is_none_or(|start| start.output_std > 1e-6).then(|| {
        rule.finding()
            .at("model")
            .weigh(Severity::Warning, 0.9)
            .evidence("a text with its inner tokens turned round gives the same")
            .because(
                "the model does not see where a token stands",
                "another text turned round gives something else",
            )
    })
}
