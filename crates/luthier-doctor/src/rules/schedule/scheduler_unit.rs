//! # SCH001 scheduler-unit
//!
//! ## What it finds
//! A schedule whose numbers were meant for epochs and that counts updates, so that the learning rate is gone before the
//! model has seen the data.
//!
//! ## Why it hurts
//! What a run can still learn is bounded by its learning-rate budget, the sum of the rates of all updates. A StepLR
//! with `step_size = 3` and `gamma = 0.5` that counts updates sums to 6 · lr however long the run is: after thirty
//! updates the rate is a thousandth of what was typed. Training loss wobbles, validation stands still.
//!
//! ## How it is measured
//! From the planned rates, before anything is trained: the budget in units of the base rate, and the update after which
//! 99 % of it is spent. It is this fault when the schedule counts updates, the budget is spent within a quarter of
//! the run, and the same numbers counted in epochs would spend at least three times as much of the run.
//!
//! ## Example
//! ```toml
//! [schedule]
//! type = "StepLR"
//! step_size = 3
//! gamma = 0.5
//! unit = "step"
//! ```
//!
//! ## Fix
//! `unit = "epoch"`, or numbers that fit the number of updates.
//!
//! ## When it is wrong
//! When the rate is meant to fall within the first few updates, as in a run that only warms up statistics.
//!
//! ## Source
//! `torch.optim.lr_scheduler`: a schedule counts calls of `step()`, whatever the caller means by one.

use luthier_plan::schedule;
use luthier_recipe::{Curve, Unit};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// Share of the run within which the budget must be spent to be called spent early. A quarter, so that runs of a few
/// epochs count too: what tells the fault from a wish is that epochs would spend three times as much.
const EARLY: f64 = 0.25;

/// The rule.
pub static RULE: Rule = Rule {
    code: "SCH001",
    name: "scheduler-unit",
    category: Category::Schedule,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("scheduler_unit.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let recipe = &plan.recipe;
    let falls = matches!(
        recipe.schedule.curve,
        Curve::StepLR { .. } | Curve::MultiStepLR { .. } | Curve::ExponentialLR { .. }
    );
    if recipe.schedule.unit != Unit::Step || !falls || plan.lr_factors.len() < 20 {
        return Vec::new();
    }
    let mut by_epoch = recipe.schedule.clone();
    by_epoch.unit = Unit::Epoch;
    let meant = schedule::factors(&by_epoch, recipe.optim.lr, &plan.length);
    let (spent, meant_spent) = (spent_after(&plan.lr_factors), spent_after(&meant));
    let run = plan.lr_factors.len() as f64;
    if spent as f64 > EARLY * run || meant_spent < 3 * spent {
        return Vec::new();
    }
    let budget: f64 = plan.lr_factors.iter().sum();
    let last = plan.lr_factors.last().copied().unwrap_or(0.0);
    let finding = rule
        .finding()
        .at("schedule.unit")
        // arithmetic on the planned rates: nothing is estimated
        .weigh(Severity::Error, 0.995)
        .evidence(format!(
            "99 % of the learning-rate budget is spent after {spent} of {run} updates, {:.2} epochs",
            spent as f64 / plan.length.updates_per_epoch.max(1) as f64
        ))
        .evidence(format!(
            "the rates of all updates sum to {budget:.1} times lr; counted in epochs they would sum to {:.1}",
            meant.iter().sum::<f64>()
        ))
        .evidence(format!("the last rate is {last:.1e} of the first"))
        .because(
            "the schedule counts optimizer updates with numbers that fit epochs, so the learning rate is gone long \
             before the model has seen the data often enough",
            "validation still improves after the budget is spent",
        )
        .fix("count epochs", [("schedule.unit", json!("epoch"))]);
    vec![finding]
}

/// Updates after which 99 % of the sum of all factors is spent.
fn spent_after(factors: &[f64]) -> usize {
    let whole: f64 = factors.iter().sum();
    let mut sum = 0.0;
    factors
        .iter()
        .position(|factor| {
            sum += factor;
            sum >= 0.99 * whole
        })
        .map_or(factors.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn epochs_counted_as_updates_are_found_and_the_same_numbers_for_epochs_are_not() {
        let world = World::default();
        let with = |unit: &str| {
            let schedule = format!("schedule={{type=\"StepLR\",step_size=3,gamma=0.5,unit=\"{unit}\"}}");
            severity(&RULE, TABLE, &[&schedule], &world)
        };
        assert_eq!(with("step"), Some(Severity::Error));
        assert_eq!(with("epoch"), None);
        let fits = "schedule={type=\"StepLR\",step_size=250,gamma=0.5,unit=\"step\"}";
        assert_eq!(severity(&RULE, TABLE, &[fits], &world), None);
    }
}
