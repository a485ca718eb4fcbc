//! # DAT208 eval-inputs-differ
//!
//! ## What it finds
//! Evaluation that sees inputs of another mean or scale than training.
//!
//! ## Why it hurts
//! What was learned is judged, and later used, on numbers of another kind: validation stays poor while
//! training goes well.
//!
//! ## How it is measured
//! Mean and standard deviation of each channel or feature, of training and of evaluation batches. Means more
//! than one standard deviation apart or a deviation beyond a factor of three is named; halves and doubles
//! come by chance in small splits.
//!
//! ## Example
//! `Normalize` in `data.transform.train` alone.
//!
//! ## Fix
//! The same scaling in both chains.
//!
//! ## When it is wrong
//! When validation is another population on purpose.
//!
//! ## Source
//! Breck et al., Data Validation for Machine Learning (2019): skew between training and serving.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "DAT208",
    "eval-inputs-differ",
    Category::Data,
    include_str!("eval_inputs_differ.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let (train, eval) = (view.probes.inputs.as_ref()?, view.probes.eval_inputs.as_ref()?);
    let width = train.mean.len();
    // few samples have means of their own: 64 rows know one to an eighth of the deviation
    if width == 0 || eval.mean.len() != width || eval.count < 64 * width as u64 {
        return None;
    }
    // most of the channels: one of many columns may be odd in a small split
    let odd = |at: &usize| {
        let (a, b) = (train.std[*at], eval.std[*at]);
        let apart = (train.mean[*at] - eval.mean[*at]).abs() / a.max(b).max(1e-12);
        apart > 1.0 || (a.min(b) > 1e-9 && !(1.0 / 3.0..3.0).contains(&(b / a)))
    };
    let odd: Vec<usize> = (0..width).filter(odd).collect();
    let worst = *odd.first()?;
    (2 * odd.len() > width).then(|| {
        rule.finding()
            .at("data.transform.eval")
            .weigh(Severity::Warning, 0.8)
            .evidence(format!(
                "feature {worst} has mean {:.3} and deviation {:.3} in training, {:.3} and {:.3} in evaluation",
                train.mean[worst], train.std[worst], eval.mean[worst], eval.std[worst]
            ))
            .evidence(format!("{} of {width} features differ as much", odd.len()))
            .because(
                "evaluation scales its inputs another way than training, so that it judges the model on what it never saw",
                "the training samples through the evaluation chain have the figures of training",
            )
    })
}
