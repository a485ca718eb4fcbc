//! # LOO004 average-slow
//!
//! ## What it finds
//! An average of the weights that still holds much of their start when the run ends.
//!
//! ## Why it hurts
//! The average is what is evaluated and kept. The weights themselves learn, and the validation split shows the start.
//!
//! ## How it is measured
//! The share of the start in the average at the end is decay ^ updates; from 20 % on it is told.
//!
//! ## Example
//! ```toml
//! [train]
//! ema = { decay = 0.9999 }      # and 188 updates in all: 98 % of the average is the random start
//! ```
//!
//! ## Fix
//! A decay of 1 − 10 / updates, with which the average is over the last tenth of the run.
//!
//! ## When it is wrong
//! When the run is one part of a longer one that goes on with its average.
//!
//! ## Source
//! decay ^ updates is what an exponential average keeps of its first value; digits at 0.9999 for four epochs: measured, below
//! 0.2 where the weights themselves reach 0.97.

use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOO004",
    name: "average-slow",
    category: Category::Loop,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("average_slow.rs"),
    look,
};

/// Share of the start in the average at the end that is told.
const SHARE: f64 = 0.2;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(ema) = plan.recipe.train.ema else { return Vec::new() };
    let updates = plan.length.updates.max(1) as f64;
    let share = ema.decay.powf(updates);
    if share < SHARE {
        return Vec::new();
    }
    let decay = (1000.0 * (1.0 - 10.0 / updates)).round().max(0.0) / 1000.0;
    let finding = rule
        .finding()
        .at("train.ema.decay")
        .weigh(Severity::Warning, 0.85)
        .evidence(format!(
            "after {updates} updates {:.0} % of the average are what the weights began with",
            100.0 * share
        ))
        .because(
            "the average that is evaluated is far behind the weights",
            "the same run without an average does no better on the validation split",
        )
        .fix("average over the last tenth of the run", [("train.ema.decay", json!(decay))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn an_average_has_to_forget_its_start() {
        let world = World::default();
        let updates = Subject::new(TABLE, &[], &world).plan.length.updates as f64;
        // what remains of the start: nearly all, a third, a twentieth
        for (share, expected) in
            [(0.98_f64, Some(Severity::Warning)), (0.33, Some(Severity::Warning)), (0.05, None)]
        {
            let set = format!("train.ema={{ decay = {} }}", share.powf(1.0 / updates));
            assert_eq!(severity(&RULE, TABLE, &[&set], &world), expected, "{share}");
        }
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
    }
}
