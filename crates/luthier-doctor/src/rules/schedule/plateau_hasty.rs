//! # SCH007 plateau-hasty
//!
//! ## What it finds
//! A ReduceLROnPlateau that takes a run under way for one that has stopped.
//!
//! ## Why it hurts
//! The rate is gone after a few evaluations, and never comes back.
//!
//! ## How it is measured
//! `threshold` of a twentieth or more: a loss that falls by 4 % from one evaluation to the next counts as standing still.
//! Or no patience at all with a factor of a fifth or less: one evaluation that is unlucky is enough.
//!
//! ## Example
//! ```toml
//! [schedule]
//! type = "ReduceLROnPlateau"
//! unit = "epoch"
//! patience = 0
//! factor = 0.1
//! ```
//!
//! ## Fix
//! The threshold of PyTorch, and patience for a few evaluations.
//!
//! ## When it is wrong
//! When evaluations are many epochs apart.
//!
//! ## Source
//! `torch.optim.lr_scheduler.ReduceLROnPlateau`: threshold 1e-4, patience 10, factor 0.1.

use luthier_recipe::Curve;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "SCH007",
    name: "plateau-hasty",
    category: Category::Schedule,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("plateau_hasty.rs"),
    look,
};

/// Improvement from one evaluation to the next that healthy runs often stay below.
const MUCH: f64 = 0.05;
/// A factor from which one wrong step takes most of the rate.
const DEEP: f64 = 0.2;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Curve::ReduceLROnPlateau { patience, threshold, factor, .. } = plan.recipe.schedule.curve else {
        return Vec::new();
    };
    let blind = threshold >= MUCH;
    let impatient = patience == 0 && factor <= DEEP;
    if !blind && !impatient {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at(if blind { "schedule.threshold" } else { "schedule.patience" })
        .weigh(Severity::Warning, if blind { 0.85 } else { 0.7 })
        .evidence(format!(
            "the rate becomes {factor} of itself when {} evaluations in a row improve by less than {} %",
            patience + 1,
            100.0 * threshold
        ))
        .because(
            "a run that improves slowly, or had one unlucky evaluation, loses its learning rate",
            "the rate does not fall before the loss stands still",
        )
        .fix(
            "wait for a loss that stands still",
            [("schedule.threshold", json!(1e-4)), ("schedule.patience", json!(patience.max(3)))],
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn haste_is_found_and_pytorchs_defaults_are_not() {
        let with = |numbers: &str| {
            let set = format!("schedule={{type=\"ReduceLROnPlateau\",unit=\"epoch\"{numbers}}}");
            severity(&RULE, TABLE, &[&set], &World::default())
        };
        assert_eq!(with(""), None);
        assert_eq!(with(",patience=0,factor=0.5"), None);
        assert_eq!(with(",patience=0"), Some(Severity::Warning));
        assert_eq!(with(",threshold=0.9"), Some(Severity::Warning));
    }
}
