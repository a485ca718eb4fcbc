//! # SCH002 warmup-long
//!
//! ## What it finds
//! A warm-up that takes more than half of the run.
//!
//! ## Why it hurts
//! The rate reaches its value when the run is nearly over: most updates are smaller than they should be.
//!
//! ## How it is measured
//! `schedule.warmup.steps` over the planned updates.
//!
//! ## Example
//! ```toml
//! [schedule]
//! type = "constant"
//! unit = "step"
//! warmup = { steps = 900 }   # of 1000
//! ```
//!
//! ## Fix
//! 5 to 10 % of the updates.
//!
//! ## When it is wrong
//! When a run is only a check that the first updates hold.
//!
//! ## Source
//! Google's tuning playbook: warm-up of at most a tenth of the run.

use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "SCH002",
    name: "warmup-long",
    category: Category::Schedule,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("warmup.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (steps, updates) = (plan.recipe.schedule.warmup.steps, plan.length.updates);
    if steps * 2 <= updates || steps < 2 {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("schedule.warmup.steps")
        .weigh(Severity::Warning, 0.8)
        .evidence(format!("the rate rises for {steps} of {updates} updates"))
        .because(
            "most of the run happens at rates below the one that was chosen",
            "the loss stops falling within the rise",
        )
        .fix("a tenth of the run", [("schedule.warmup.steps", json!(updates / 10))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn half_of_the_run_is_the_limit() {
        let world = World::default();
        // 38 updates an epoch
        let with = |steps: u64| {
            severity(
                &RULE,
                TABLE,
                &[
                    "train.epochs=10",
                    &format!("schedule={{type=\"constant\",unit=\"step\",warmup={{steps={steps}}}}}"),
                ],
                &world,
            )
        };
        assert_eq!(with(300), Some(Severity::Warning));
        assert_eq!(with(30), None);
        assert_eq!(with(0), None);
    }
}
