//! # DAT002 unscaled-target
//!
//! ## What it finds
//! Targets of a regression that are learned in their own units and are far from the size that a network starts
//! with.
//!
//! ## Why it hurts
//! Outputs start near 0 with a size of about 1. With a squared error the gradient is proportional to the distance:
//! SGD diverges at rates that are right otherwise. Adam's steps have the size of the rate, and outputs may not get
//! to the targets within the run.
//!
//! ## How it is measured
//! Root mean square of the targets as the loss sees them, above 10 with SGD and 100 with Adam. With Adam it is an
//! error when ten times the rates of all updates do not add up to the size of the targets. With SGD it is a note up to
//! 100: a small rate gets there.
//!
//! ## Example
//! ```toml
//! task = "regression"
//! [data]
//! target = "price"         # 250 000
//! scale_target = "none"
//! ```
//!
//! ## Fix
//! `scale_target = "standardize"`: metrics are told in the targets' own units all the same.
//!
//! ## When it is wrong
//! When the run is long and the rate high enough to get there.
//!
//! ## Source
//! A question about predicting sales of 1e8: scaling inputs alone gives R² −0.56, scaling the targets 0.99,
//! measured.

use luthier_recipe::{Loss, Task};
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT002",
    name: "unscaled-target",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("unscaled_target.rs"),
    look,
};

/// Typical target from which the gradient of a squared error is too large for usual rates of plain descent.
const LARGE: f64 = 10.0;
/// The same for rules that divide by the gradient's size.
const LARGE_ADAPTIVE: f64 = 100.0;
/// Outputs move faster than single weights, because many move together: a guess, on the side of saying less.
const TOGETHER: f64 = 10.0;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.recipe.task == Task::Regression) else {
        return Vec::new();
    };
    let targets = plan.table.iter().flat_map(|table| &table.targets);
    let sized = targets.map(|target| {
        let std = target.stats.std / target.scale.divisor.abs();
        (&target.name, target.scale.apply(target.stats.mean).hypot(std))
    });
    let Some((name, size)) = sized.max_by(|a, b| a.1.total_cmp(&b.1)) else { return Vec::new() };
    let adaptive = reading::adaptive(plan);
    // an absolute error's gradient has the same size however far the target is
    let robust = matches!(plan.recipe.loss, Loss::Mae { .. } | Loss::SmoothL1 { .. });
    if size <= if adaptive || robust { LARGE_ADAPTIVE } else { LARGE } {
        return Vec::new();
    }
    let factors: f64 =
        if plan.lr_factors.is_empty() { plan.length.updates as f64 } else { plan.lr_factors.iter().sum() };
    let reach = TOGETHER * plan.recipe.optim.lr * factors;
    let severity = match (adaptive || robust, size > LARGE_ADAPTIVE) {
        (true, _) if size > reach => Severity::Error,
        (false, true) => Severity::Error,
        // small rates get there: whether this one does is for the probes to say
        (false, false) => Severity::Info,
        _ => Severity::Warning,
    };
    let finding = rule
        .finding()
        .at("data.scale_target")
        .weigh(severity, if severity == Severity::Error { 0.92 } else { 0.7 })
        .evidence(format!("targets of `{name}` are typically {size:.3e}, outputs start at about 1"))
        .evidence(if adaptive || robust {
            format!("ten times the rates of all updates sum to {reach:.3e}")
        } else {
            format!("the first gradients are {size:.1e} times those of standardised targets")
        })
        .because(
            "outputs must travel far from where they start, and the learning rate is not made for that way",
            "the run with scaled targets is no better",
        )
        .fix("learn the targets with mean 0 and deviation 1", [("data.scale_target", json!("standardize"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn far_targets_are_found_and_scaled_ones_are_not() {
        let prices = World { targets: vec![column(2.5e5, 1e5, 0.0, 1e6)], ..World::default() };
        let percent = World { targets: vec![column(40.0, 20.0, 0.0, 100.0)], ..World::default() };
        let rent = World { targets: vec![column(800.0, 200.0, 300.0, 2000.0)], ..World::default() };
        let raw = "data.scale_target=none";
        let sgd: &[&str] = &[raw, "optim.type=SGD"];
        let fast: &[&str] = &[raw, "optim.lr=0.05"];
        let rows = [
            (&prices, &[raw][..], Some(Severity::Error)),
            (&prices, sgd, Some(Severity::Error)),
            (&rent, fast, Some(Severity::Warning)),
            (&percent, sgd, Some(Severity::Info)),
            (&percent, &[raw], None),
            (&prices, &[], None),
        ];
        for (world, sets, expected) in rows {
            assert_eq!(severity(&RULE, NUMBERS, sets, world), expected, "{sets:?} {:?}", world.targets);
        }
    }
}
