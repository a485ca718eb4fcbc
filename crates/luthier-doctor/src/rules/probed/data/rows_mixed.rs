//! # DAT206 rows-mixed
//!
//! ## What it finds
//! A sample's output that depends on the other samples of its batch, in evaluation.
//!
//! ## Why it hurts
//! Batch and features were mixed up: a reshape in place of a transpose, a softmax over the batch, a
//! normalisation with the batch's own figures in evaluation. What is predicted then depends on the company.
//!
//! ## How it is measured
//! One sample beside two sets of others, in evaluation and fp32: the largest change of its output, relative
//! to how much outputs differ. It must be 0 but for rounding; above 1e-3 it is named.
//!
//! ## Example
//! A layer that takes the softmax over dimension 0.
//!
//! ## Fix
//! Find the layer that mixes rows: flatten from dimension 1 on, softmax over the last dimension, evaluation
//! mode.
//!
//! ## When it is wrong
//! When samples are meant to see each other, as in some retrieval models.
//!
//! ## Source
//! Karpathy, A Recipe for Training Neural Networks (2019): the gradient of one output with respect to other
//! samples is 0.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("DAT206", "rows-mixed", Category::Data, include_str!("rows_mixed.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

/// fp32 sums in another order change outputs by a millionth of their spread.
const MIXED: f64 = 1e-3;

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let rows = view.probes.rows.filter(|rows| *rows > MIXED)?;
    // outputs that do not differ have no spread to compare with
    view.start().is_none_or(|start| start.output_std > 1e-6).then(|| {
        rule.finding()
            .at("model")
            .weigh(Severity::Error, 0.95)
            .evidence(format!(
                "with other samples beside it, a sample's output changes by {:.1} % of how much outputs differ",
                100.0 * rows
            ))
            .because(
                "rows of a batch are mixed in evaluation: a layer works along the batch where it should along features",
                "outputs of a batch and of its samples one by one are equal",
            )
    })
}
