//! # OPT007 step-beyond-curvature
//!
//! ## What it finds
//! A linear regression whose rate is beyond what its own data allow: it diverges for certain.
//!
//! ## Why it hurts
//! The curvature of a squared error over a linear model is known before training: twice the mean square of the
//! inputs. Descent with a step above 2 over it moves further away at each update.
//!
//! ## How it is measured
//! Largest eigenvalue of the second moments of one column and the bias, which bounds the largest of all from below;
//! times the rate, twice, times the batch for a sum. Above 2 · (1 + momentum) it diverges.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = "targets" }]   # inputs from -8 to 8
//! [optim]
//! type = "SGD"
//! lr = 0.1
//! ```
//!
//! ## Fix
//! `scale = "standardize"`, or the rate in the evidence.
//!
//! ## When it is wrong
//! Never for full batches; with small ones the mean over the run counts, and that is the same.
//!
//! ## Source
//! 8 points in ±8: the bound is 0.041; at 0.1 the loss is 1e239, at 0.01 R² is 0.999, measured.

use luthier_recipe::{LayerKind, Loss, Reduction, Rule as Update, Scale, Task};
use serde_json::json;

use crate::reading;
use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT007",
    name: "step-beyond-curvature",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("curvature.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.recipe.task == Task::Regression) else {
        return Vec::new();
    };
    let Some(stack) = Stack::of(plan) else { return Vec::new() };
    let linear = stack.hidden_acts().is_empty() && stack.weighted().len() == 1 && stack.last_act().is_none();
    let Update::SGD { momentum, .. } = plan.recipe.optim.rule else { return Vec::new() };
    let (Loss::Mse { reduction }, true) = (&plan.recipe.loss, linear) else { return Vec::new() };
    if stack.steps.iter().any(|step| matches!(step.kind, LayerKind::BatchNorm | LayerKind::LayerNorm)) {
        return Vec::new();
    }
    let outputs = stack.outputs().unwrap_or(1).max(1) as f64;
    let summed = if *reduction == Reduction::Sum {
        plan.length.effective_batch.min(plan.length.samples) as f64 * outputs
    } else {
        1.0
    };
    let columns = reading::features(plan).into_iter().map(|column| {
        // of [[E x², E x], [E x, 1]]: the column and the bias
        let square = column.rms().powi(2);
        let half = (square - 1.0) / 2.0;
        ((square + 1.0) / 2.0 + half.hypot(column.mean), column.name)
    });
    let Some((moment, name)) = columns.max_by(|a, b| a.0.total_cmp(&b.0)) else { return Vec::new() };
    let curvature = 2.0 * moment * summed / outputs;
    let (lr, bound) = (reading::peak(plan, plan.recipe.optim.lr), 2.0 * (1.0 + momentum) / curvature);
    if lr <= bound {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("optim.lr")
        .weigh(Severity::Error, 0.97)
        .evidence(format!("the curvature of the loss along `{name}` is at least {curvature:.3e}"))
        .evidence(format!("descent is stable up to a rate of {bound:.1e} at most, and this is {lr:.1e}"))
        .because(
            "every step overshoots the minimum by more than it was away: the loss grows without end",
            "the loss falls over the first ten updates",
        );
    let raw = plan.recipe.data.scale != Scale::Standardize && moment > 3.0;
    let lower: f64 = format!("{:.0e}", bound / 4.0).parse().unwrap_or(bound / 4.0);
    vec![if raw {
        finding.fix("standardised features", [("data.scale", json!("standardize"))])
    } else {
        finding.fix("a rate below the bound", [("optim.lr", json!(lower))])
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn of(lr: &str, scale: &str, world: &World) -> Option<Severity> {
        let sets = [
            "model.layers=[{linear=\"targets\"}]",
            "optim.type=SGD",
            &format!("optim.lr={lr}"),
            &format!("data.scale={scale}"),
        ];
        severity(&RULE, NUMBERS, &sets, world)
    }

    #[test]
    fn the_bound_is_that_of_the_data() {
        let eight = World { features: vec![column(0.0, 4.6, -8.0, 8.0)], ..World::default() };
        assert_eq!(of("0.1", "none", &eight), Some(Severity::Error));
        assert_eq!(of("0.04", "none", &eight), None);
        assert_eq!(of("0.1", "standardize", &eight), None);
        let hundred = World { features: vec![column(50.0, 28.9, 0.0, 99.0)], ..World::default() };
        assert_eq!(of("0.001", "none", &hundred), Some(Severity::Error));
        assert_eq!(
            severity(&RULE, NUMBERS, &["optim.type=SGD", "optim.lr=3.0"], &eight),
            None,
            "hidden layers bend it"
        );
    }

    #[test]
    fn a_sum_over_the_batch_counts() {
        let squares = World {
            counts: vec![4],
            features: vec![column(3.5, 3.5, 0.0, 9.0), column(1.5, 1.1, 0.0, 3.0)],
            ..World::default()
        };
        let sets =
            ["model.layers=[{linear=\"targets\"}]", "optim.type=SGD", "optim.lr=0.01", "data.scale=none"];
        assert_eq!(severity(&RULE, NUMBERS, &sets, &squares), None);
        let sum = [&sets[..], &["loss.reduction=sum"]].concat();
        assert_eq!(severity(&RULE, NUMBERS, &sum, &squares), Some(Severity::Error));
    }
}
