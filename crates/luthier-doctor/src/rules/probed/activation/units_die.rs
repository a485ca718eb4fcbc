//! # ACT203 units-die
//!
//! ## What it finds
//! ReLUs that were alive at the start and are dead after the first updates.
//!
//! ## Why it hurts
//! They were thrown to where they give 0 for every sample, and no gradient brings them back. It is what a
//! rate too high, a loss that is summed, or unscaled inputs do: look for those first.
//!
//! ## How it is measured
//! Share of dead units over all ReLUs before the first update and after the last of the first five: from
//! below 0.3 to above 0.6.
//!
//! ## Example
//! ```toml
//! [optim]
//! lr = 2.0
//! ```
//!
//! ## Fix
//! What the causes named beside it say; without one, a tenth of the rate.
//!
//! ## When it is wrong
//! When samples of the first batches are too few to tell a dead unit.
//!
//! ## Source
//! Measured: seven faults end with 99 % dead units, with 0 at the start.

use serde_json::json;

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::symptom("ACT203", "units-die", Category::Activation, include_str!("units_die.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let start = view.dead_at_start();
    let end = view.probes.steps.last()?.dead;
    (view.batch() >= 8 && start < 0.3 && end > 0.6).then(|| {
        rule.finding()
            .at("optim.lr")
            .weigh(Severity::Warning, 0.8)
            .evidence(format!(
                "{:.0} % of the ReLUs are dead at the start, {:.0} % after {} updates",
                100.0 * start,
                100.0 * end,
                view.probes.steps.len()
            ))
            .because(
                "the first updates threw units to where they give 0 for every sample: a consequence, not a cause",
                "they come back after more updates",
            )
            .fix("a tenth of the rate", [("optim.lr", json!(super::super::round(view.lr() / 10.0)))])
    })
}
