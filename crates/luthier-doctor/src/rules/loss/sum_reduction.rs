//! # LOS001 sum-reduction
//!
//! ## What it finds
//! A loss that is summed over the batch with an optimizer that does not divide by the gradient's size.
//!
//! ## Why it hurts
//! Gradients grow with the batch: SGD takes steps that are batch size times as long as the rate says. The first
//! steps throw the weights about and most ReLUs die.
//!
//! ## How it is measured
//! From the plan: `reduction = "sum"`, SGD, and the rate that a mean would need for the same step, lr · samples of
//! an update / (1 − momentum). From 1 on it is an error, from 0.3 a warning: plain networks diverge about there.
//! Adam and RMSprop divide the factor out.
//!
//! ## Example
//! ```toml
//! [loss]
//! type = "mse"
//! reduction = "sum"
//! ```
//!
//! ## Fix
//! `reduction = "mean"`; or a rate divided by the batch size.
//!
//! ## When it is wrong
//! When the rate was chosen for sums: then the rate is small, and the rule is silent.
//!
//! ## Source
//! A documented fault of three public collections. Gradient norms of 67.7 beside 2.11 with batches of 32, measured.

use luthier_recipe::Reduction;
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS001",
    name: "sum-reduction",
    category: Category::Loss,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("sum_reduction.rs"),
    look,
};

/// Step length in units of the rate of a mean from which nets without normalisation diverge.
const DIVERGES: f64 = 1.0;
/// From here on it is doubtful.
const DOUBTFUL: f64 = 0.3;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.recipe.loss.reduction() == Reduction::Sum) else {
        return Vec::new();
    };
    let batch = plan.length.effective_batch.min(plan.length.samples) as f64;
    let lr = reading::peak(plan, plan.recipe.optim.lr);
    let step = lr * batch / (1.0 - reading::momentum(plan));
    let (severity, confidence) = match step {
        _ if reading::adaptive(plan) => (Severity::Info, 0.9),
        step if step >= DIVERGES => (Severity::Error, 0.95),
        step if step >= DOUBTFUL => (Severity::Warning, 0.7),
        _ => (Severity::Info, 0.5),
    };
    let finding = rule
        .finding()
        .at("loss.reduction")
        .weigh(severity, confidence)
        .evidence(format!("the losses of {batch} samples are added up before the gradient is taken"))
        .evidence(if reading::adaptive(plan) {
            "this optimizer divides by the gradient's size, so only clipping and `eps` see the factor"
                .to_owned()
        } else {
            format!("steps are as long as with a mean and a rate of {step:.3}")
        })
        .because(
            "the gradient grows with the batch, and with it the step",
            "the gradient of one sample is as large as that of a whole batch",
        )
        .fix("take the mean", [("loss.reduction", json!("mean"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_sum_hurts_plain_descent_alone_and_only_where_the_rate_was_not_chosen_for_it() {
        let world = World::default();
        let rows: [(&[&str], Option<Severity>); 5] = [
            (&["loss.reduction=sum"], Some(Severity::Error)),
            (&["loss.reduction=sum", "optim.lr=0.01"], Some(Severity::Warning)),
            (&["loss.reduction=sum", "optim.lr=0.001"], Some(Severity::Info)),
            (&["loss.reduction=sum", "optim.type=Adam", "optim.lr=0.001"], Some(Severity::Info)),
            (&[], None),
        ];
        for (sets, expected) in rows {
            assert_eq!(severity(&RULE, TABLE, sets, &world), expected, "{sets:?}");
        }
    }
}
