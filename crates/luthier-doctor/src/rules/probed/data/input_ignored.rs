//! # DAT209 input-ignored
//!
//! ## What it finds
//! A model that learned something without its input.
//!
//! ## Why it hurts
//! The loss fell, and with all inputs zero it is the same: what was learned is how often each answer comes.
//! Something between the input and the head is cut.
//!
//! ## How it is measured
//! One small batch is learned by heart, then given again with zeros in place of its inputs. The loss fell to
//! less than half, and zeros change it by less than 1 %.
//!
//! ## Example
//! A model that adds nothing of its features to the head.
//!
//! ## Fix
//! Find where the signal is lost: outputs of each layer must differ between samples.
//!
//! ## When it is wrong
//! When all samples of the small batch are of one class: then there is nothing to tell apart.
//!
//! ## Source
//! Karpathy, A Recipe for Training Neural Networks (2019): the input-independent baseline.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("DAT209", "input-ignored", Category::Data, include_str!("input_ignored.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let (zeroed, fit) = (view.probes.zeroed?, view.probes.overfit.as_ref()?);
    let (first, last) = fit.losses.first().zip(fit.losses.last())?;
    // a batch of one class is learned without inputs: it falls to nothing. One of several stays where their shares leave it
    let one_class = *last < 0.1 * first;
    let same = (zeroed.real - zeroed.zeroed).abs() <= 0.01 * zeroed.real.abs();
    (*last < 0.5 * first && zeroed.real < 0.7 * first && same && !one_class).then(|| {
        rule.finding()
            .at("model")
            .weigh(Severity::Error, 0.8)
            .evidence(format!("a batch was learned from {first:.3} to {last:.3}"))
            .evidence(format!("its loss is {:.4}, and {:.4} with all inputs zero", zeroed.real, zeroed.zeroed))
            .because(
                "what was learned does not depend on the input: the signal is cut between the input and the head",
                "outputs differ between samples",
            )
    })
}
