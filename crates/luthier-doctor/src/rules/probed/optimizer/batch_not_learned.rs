//! # OPT207 batch-not-learned
//!
//! ## What it finds
//! One small batch that neither the recipe's optimizer nor Adam at 1e-3 learns by heart.
//!
//! ## Why it hurts
//! A network that can't repeat eight answers won't find a rule for thousands. Why is for the causes beside
//! it; without one, the model may be too small or equal inputs have different labels.
//!
//! ## How it is measured
//! A hundred updates each on eight samples: more than nine tenths of the loss are left by both, in training
//! and in the score.
//!
//! ## Example
//! A frozen backbone under a head whose inputs do not differ.
//!
//! ## Fix
//! See the causes; otherwise a wider model, or less dropout.
//!
//! ## When it is wrong
//! When a hundred updates are too few for the network, as for deep ones without a normalisation.
//!
//! ## Source
//! Karpathy, A Recipe for Training Neural Networks (2019): overfit one batch.

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::symptom(
    "OPT207",
    "batch-not-learned",
    Category::Optimizer,
    include_str!("batch_not_learned.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let (own, other) = (view.probes.overfit_own.as_ref()?, view.probes.overfit.as_ref()?);
    let stays = |fit: &crate::FitFacts| signs::left(fit).is_some_and(|left| left > 0.9);
    // a small table's net may move slowly at 1e-3, and is judged by its own rate; a hundred updates must have been made
    let enough = other.losses.len() > 90 && own.losses.len() > 90;
    let known = other.score >= 0.99 || own.score >= 0.99;
    // Adam at 1e-3 moves a weight by a tenth at most in so many updates: where the recipe's is bolder, it alone counts
    let slow = view.first().is_none_or(|step| step.ratio < 1e-3);
    (stays(own) && stays(other) && enough && !known).then(|| {
        let severity = if slow || signs::not_the_rate(view) { Severity::Warning } else { Severity::Info };
        rule.finding()
            .at("model")
            .weigh(severity, 0.6)
            .evidence(format!(
                "after {} updates on {} samples {:.0} % of the loss are left, {:.0} % with Adam at 1e-3",
                own.losses.len() - 1,
                own.samples,
                100.0 * signs::left(own).unwrap_or(1.0),
                100.0 * signs::left(other).unwrap_or(1.0)
            ))
            .because("the model does not even learn a few samples by heart", "a longer fit learns the batch")
    })
}
