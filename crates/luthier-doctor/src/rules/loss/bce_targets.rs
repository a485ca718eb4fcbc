//! # LOS004 bce-targets
//!
//! ## What it finds
//! Binary cross-entropy on regression targets that are not between 0 and 1.
//!
//! ## Why it hurts
//! Binary cross-entropy takes its targets for probabilities. Beyond 0 and 1 it has no lower bound: it falls for
//! ever, becomes negative, and the outputs run away.
//!
//! ## How it is measured
//! The smallest and largest target of the training rows, after scaling.
//!
//! ## Example
//! ```toml
//! task = "regression"
//! [data]
//! scale_target = "standardize"
//! [loss]
//! type = "bce"
//! ```
//!
//! ## Fix
//! `scale_target = "minmax"`, or `type = "mse"`.
//!
//! ## When it is wrong
//! Never for targets outside by more than rounding.
//!
//! ## Source
//! y · log p + (1 − y) · log(1 − p) is monotone in p for y outside [0, 1]. Autoencoders on standardised pictures
//! are the usual case.

use luthier_recipe::{Loss, Task};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS004",
    name: "bce-targets",
    category: Category::Loss,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("bce_targets.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.recipe.task == Task::Regression) else {
        return Vec::new();
    };
    let (Loss::Bce { .. }, Some(table)) = (&plan.recipe.loss, &plan.table) else { return Vec::new() };
    let outside = table.targets.iter().find_map(|target| {
        let ends = [target.scale.apply(target.stats.min), target.scale.apply(target.stats.max)];
        (ends[0] < -1e-6 || ends[1] > 1.0 + 1e-6).then_some((&target.name, ends))
    });
    let Some((name, [min, max])) = outside else { return Vec::new() };
    let finding = rule
        .finding()
        .at("loss.type")
        .weigh(Severity::Error, 0.98)
        .evidence(format!("after scaling, targets of `{name}` reach from {min:.3} to {max:.3}"))
        .because(
            "binary cross-entropy takes targets for probabilities, and outside of [0, 1] it has no minimum",
            "all targets that the loss is given are between 0 and 1",
        )
        .fix("put the targets into [0, 1]", [("data.scale_target", json!("minmax"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn targets_must_be_probabilities() {
        let world = World::default();
        assert_eq!(severity(&RULE, NUMBERS, &["loss.type=bce"], &world), Some(Severity::Error));
        assert_eq!(severity(&RULE, NUMBERS, &["loss.type=bce", "data.scale_target=minmax"], &world), None);
        assert_eq!(severity(&RULE, NUMBERS, &[], &world), None);
    }
}
