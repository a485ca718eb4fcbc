//! # LOS205 loss-off-theory
//!
//! ## What it finds
//! An untrained model whose loss on the first batch is far from what knowing nothing costs, with inputs and
//! outputs of a usual size.
//!
//! ## Why it hurts
//! Guessing among C classes costs ln C. Where the loss starts elsewhere it is not the loss one thinks it is:
//! weighted, summed, of masked labels, or of outputs it was not made for.
//!
//! ## How it is measured
//! Loss at the start over ln C (ln 2, or the targets' variance): above 3 or below a third, in training and in
//! evaluation, with outputs of deviation below 1 and at least 16 samples. Silent where inputs, initial
//! weights, a sum or a softmax explain it.
//!
//! ## Example
//! ```toml
//! [loss]
//! type = "cross_entropy"
//! input = "probabilities"   # of a model that gives logits
//! ```
//!
//! ## Fix
//! Compare `loss.input` with `model.output`, and look at `loss.class_weights`.
//!
//! ## When it is wrong
//! When the loss is a sum of several.
//!
//! ## Source
//! Karpathy, A Recipe for Training Neural Networks (2019): verify the loss at init.

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "LOS205",
    "loss-off-theory",
    Category::Loss,
    include_str!("loss_off_theory.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let start = view.start().filter(|_| !view.pretrained())?;
    let expected = start.expected.filter(|expected| *expected > 0.0)?;
    let over = start.loss / expected;
    // a regression's targets have a mean that outputs don't, and its loss is of their square
    let classes = view.probes.targets.as_ref().is_none_or(|targets| targets.ranges.is_empty());
    // outputs of deviation 1 add at most about half a nat
    let plain = start.output_std < 1.0 && view.batch() >= 16 && classes;
    let explained = signs::huge_inputs(view) || signs::summed(view).is_some() || signs::large_start(view);
    let low = over < 1.0 / 3.0 && start.eval_loss < expected / 3.0;
    let high = over > 3.0 && start.eval_loss > 3.0 * expected;
    (plain && !explained && (low || high)).then(|| {
        rule.finding()
            .at("loss")
            .weigh(Severity::Warning, 0.6)
            .evidence(format!(
                "the loss starts at {:.4}; a model that knows nothing has {expected:.4}, and outputs of deviation {:.2} \
                 add little",
                start.loss, start.output_std
            ))
            .because(
                "the loss is not what its name says for these outputs: look at its input, weights and masks",
                "the loss computed by hand on the first batch is the same",
            )
    })
}
