//! # EVA102 gap-from-the-start
//!
//! ## What it finds
//! A model that is far worse on the validation split than on the training split from the first evaluation on, before
//! it can have learned anything by heart.
//!
//! ## Why it hurts
//! Training and evaluation compute different things: BatchNorm's running statistics of few or tiny batches, another
//! preprocessing, another normalisation.
//!
//! ## How it is measured
//! At the first evaluation and at every later one the validation accuracy is below the training accuracy of the same
//! epoch by 0.25 and more than four sampling errors, and the validation loss is above what a model that knows nothing
//! has.
//!
//! ## Example
//! ```toml
//! [train]
//! batch_size = 2 # with BatchNorm
//! ```
//!
//! ## Fix
//! Larger batches or frozen BatchNorm; the same normalisation in both chains.
//!
//! ## When it is wrong
//! When the validation split is from elsewhere, or each training sample is there many times.
//!
//! ## Source
//! Ioffe 2017 on BatchNorm with small batches.

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "EVA102",
    name: "gap-from-the-start",
    category: Category::Evaluation,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("mode_gap.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let (evals, epochs) = (history::valid(&run.metrics), &run.metrics.epochs);
    let Some(chance) = history::chance(facts) else { return Vec::new() };
    let gap = |eval: &luthier_track::EvalPoint| {
        let train = epochs.iter().find(|epoch| epoch.at.update == eval.at.update)?;
        let (trained, right) = (train.accuracy?, eval.accuracy?);
        let least = (4.0 * history::share_error(right, eval.count)).max(0.25);
        Some(trained - right > least && eval.loss > chance)
    };
    let gaps: Vec<Option<bool>> = evals.iter().map(|eval| gap(eval)).collect();
    let (Some(first), true) = (evals.first(), gaps.len() >= 2 && gaps.iter().all(|gap| *gap == Some(true)))
    else {
        return Vec::new();
    };
    let train = epochs.first().and_then(|epoch| epoch.accuracy).unwrap_or(0.0);
    let finding = rule
        .finding()
        .at("valid.accuracy")
        .weigh(Severity::Error, 0.75)
        .evidence(format!(
            "at the first evaluation the training accuracy is {:.1} %, that of validation {:.1} % with a loss of {:.4}",
            100.0 * train,
            100.0 * history::right(first),
            first.loss
        ))
        .evidence(format!("the gap is there at each of {} evaluations", evals.len()))
        .because(
            "training and evaluation do not compute the same: BatchNorm's running statistics, the transforms, or the \
             mode of the model",
            "the training samples, evaluated as the validation split is, score as they do in training",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_gap_before_anything_is_known_by_heart() {
        let train = [0.7, 0.85, 0.9, 0.92];
        assert_eq!(one(&RULE, &learning(200).valid(&[(3.0, 0.3); 4]).train_accuracy(&train)).code, "EVA102");
        // over-fit: the gap grows
        let grows = [(0.4, 0.7), (0.5, 0.72), (0.9, 0.7), (3.0, 0.6)];
        silent(&RULE, &learning(200).valid(&grows).train_accuracy(&train));
    }
}
