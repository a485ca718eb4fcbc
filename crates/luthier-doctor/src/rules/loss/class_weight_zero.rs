//! # LOS006 class-weight-zero
//!
//! ## What it finds
//! A class whose mistakes cost nothing, or next to nothing.
//!
//! ## Why it hurts
//! It is never learned: every sample of it may as well be called something else.
//!
//! ## How it is measured
//! A weight below a hundredth of the mean weight, of a class that has samples.
//!
//! ## Example
//! ```toml
//! [loss]
//! type = "cross_entropy"
//! class_weights = [1.0, 0.0, 1.0]
//! ```
//!
//! ## Fix
//! `class_weights = "none"` or `"balanced"`; a class that is not wanted is left out of the data.
//!
//! ## When it is wrong
//! When the class is one to ignore, and nobody looks at its accuracy.
//!
//! ## Source
//! `torch.nn.CrossEntropyLoss`: the loss of a sample is multiplied by its class's weight.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS006",
    name: "class-weight-zero",
    category: Category::Loss,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("class_weight_zero.rs"),
    look,
};

/// Uneven counts are made up for by factors of tens; a hundredth is no correction of counts like those.
const NOTHING: f64 = 0.01;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let counts = reading::counts(plan);
    let mean = plan.class_weights.iter().sum::<f64>() / plan.class_weights.len().max(1) as f64;
    let (most, least) =
        (counts.iter().max().copied().unwrap_or(0), counts.iter().min().copied().unwrap_or(0));
    // of very uneven classes a small weight is the inverse of a large count
    let even = most <= 50 * least.max(1);
    let nothing = (plan.class_weights.iter().zip(&counts).enumerate())
        .filter(|(_, (weight, count))| **count > 0 && **weight < NOTHING * mean && even);
    nothing
        .map(|(class, (weight, count))| {
            let name = plan.data.classes.get(class).cloned().unwrap_or_default();
            rule.finding()
                .at("loss.class_weights")
                .weigh(Severity::Error, 0.95)
                .evidence(format!(
                    "`{name}` has {count} samples and weight {weight}; the mean weight is {mean:.2}"
                ))
                .because(
                    "mistakes on a class cost nothing, so it is never learned",
                    "the class is predicted as well as the others",
                )
                .fix("the same weight for all", [("loss.class_weights", json!("none"))])
        })
        .take(1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_class_that_costs_nothing_is_named() {
        let world = World { counts: vec![100, 100], ..World::default() };
        let set = |weights: &str| format!("loss={{type=\"cross_entropy\",class_weights={weights}}}");
        assert_eq!(severity(&RULE, PICTURES, &[&set("[1.0, 0.0]")], &world), Some(Severity::Error));
        assert_eq!(severity(&RULE, PICTURES, &[&set("[1.0, 0.2]")], &world), None);
        assert_eq!(severity(&RULE, PICTURES, &[&set("\"balanced\"")], &world), None);
    }
}
