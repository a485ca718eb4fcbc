//! # SCH006 plateau-never
//!
//! ## What it finds
//! A ReduceLROnPlateau whose patience is longer than the run.
//!
//! ## Why it hurts
//! The rate never changes: the schedule is a constant one with a longer name.
//!
//! ## How it is measured
//! Evaluations of the run beside `patience`.
//!
//! ## Example
//! ```toml
//! [schedule]
//! type = "ReduceLROnPlateau"
//! unit = "epoch"
//! patience = 10
//! [train]
//! epochs = 8
//! ```
//!
//! ## Fix
//! A third of the evaluations.
//!
//! ## When it is wrong
//! When the run is to be resumed for longer.
//!
//! ## Source
//! `torch.optim.lr_scheduler.ReduceLROnPlateau`: it waits for more than `patience` evaluations.

use luthier_recipe::{Curve, Every};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "SCH006",
    name: "plateau-never",
    category: Category::Schedule,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("plateau.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Curve::ReduceLROnPlateau { patience, .. } = plan.recipe.schedule.curve else { return Vec::new() };
    let length = &plan.length;
    let evaluations = match plan.recipe.eval.every {
        // with quick estimates in between, only whole evaluations decide
        Every::Steps(steps) if plan.recipe.eval.batches.is_none() => length.updates / steps.max(1),
        Every::Steps(_) => length.epochs,
        Every::Epochs(epochs) => length.epochs / epochs.max(1),
    };
    if patience + 2 <= evaluations {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("schedule.patience")
        .weigh(Severity::Warning, 0.85)
        .evidence(format!(
            "the run has {evaluations} evaluations, and {patience} without improvement are forgiven"
        ))
        .because("the rate cannot fall within the run", "the run is part of a longer one")
        .fix("a third of the evaluations", [("schedule.patience", json!(evaluations / 3))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn patience_beyond_the_run_is_found() {
        let world = World::default();
        let with = |patience: u64| {
            severity(
                &RULE,
                TABLE,
                &[
                    "train.epochs=8",
                    &format!("schedule={{type=\"ReduceLROnPlateau\",unit=\"epoch\",patience={patience}}}"),
                ],
                &world,
            )
        };
        assert_eq!(with(10), Some(Severity::Warning));
        assert_eq!(with(2), None);
    }
}
