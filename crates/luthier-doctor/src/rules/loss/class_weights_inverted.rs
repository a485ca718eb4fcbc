//! # LOS003 class-weights-inverted
//!
//! ## What it finds
//! Class weights that grow with the frequency of the class.
//!
//! ## Why it hurts
//! The classes that are seen most count most as well, and the rare ones are given up.
//!
//! ## How it is measured
//! Weight times count of each class, as shares of the loss: with inverse weights all are alike, without weights
//! they are as the counts. It is this fault when classes are uneven and the weight of the most frequent class is
//! above that of the rarest by at least half as much again.
//!
//! ## Example
//! ```toml
//! [loss]
//! class_weights = [0.9, 0.1]   # the data are 90 % the first class
//! ```
//!
//! ## Fix
//! `class_weights = "balanced"`.
//!
//! ## When it is wrong
//! When the frequent class is the one whose mistakes cost more.
//!
//! ## Source
//! Questions about a minority recall of 0; weights are meant to be inverse to the counts, as in scikit-learn's
//! `balanced`.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS003",
    name: "class-weights-inverted",
    category: Category::Loss,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("class_weights_inverted.rs"),
    look,
};

/// Counts that differ by less are even: weights are then a wish, not a correction.
const UNEVEN: f64 = 2.0;
/// The frequent class must weigh that much more than the rare one.
const MORE: f64 = 1.5;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let counts = reading::counts(plan);
    let pairs = || counts.iter().zip(&plan.class_weights).enumerate().filter(|(_, (count, _))| **count > 0);
    let (Some(rare), Some(frequent)) =
        (pairs().min_by_key(|(_, (n, _))| **n), pairs().max_by_key(|(_, (n, _))| **n))
    else {
        return Vec::new();
    };
    let ((rare, (few, light)), (frequent, (many, heavy))) = (rare, frequent);
    if (*many as f64) < UNEVEN * *few as f64 || *heavy < MORE * light {
        return Vec::new();
    }
    let name = |class: usize| plan.data.classes.get(class).cloned().unwrap_or_default();
    let finding = rule
        .finding()
        .at("loss.class_weights")
        .weigh(Severity::Error, 0.9)
        .evidence(format!("`{}` has {many} samples and weight {heavy}", name(frequent)))
        .evidence(format!("`{}` has {few} samples and weight {light}", name(rare)))
        .because(
            "weights are meant to make up for uneven counts, and these make them more uneven",
            "mistakes on the frequent class do cost more",
        )
        .fix("weights inverse to the counts", [("loss.class_weights", json!("balanced"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn weights_that_follow_the_counts_are_found() {
        let uneven = World { counts: vec![900, 100], ..World::default() };
        let even = World { counts: vec![500, 500], ..World::default() };
        let rows = [
            ("[0.9, 0.1]", &uneven, Some(Severity::Error)),
            ("[0.1, 0.9]", &uneven, None),
            ("[0.9, 0.1]", &even, None),
            ("balanced", &uneven, None),
            ("none", &uneven, None),
        ];
        for (weights, world, expected) in rows {
            assert_eq!(
                severity(&RULE, TABLE, &[&format!("loss.class_weights={weights}")], world),
                expected,
                "{weights}"
            );
        }
    }
}
