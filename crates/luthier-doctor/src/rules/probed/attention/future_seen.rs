//! # ATT201 future-seen
//!
//! ## What it finds
//! A causal model in which a token changes what earlier positions give.
//!
//! ## Why it hurts
//! The model reads the answer: training loss is far too good, and what it writes by itself is poor.
//!
//! ## How it is measured
//! A text, and the same with another last token: the largest relative change at earlier positions. It must be
//! 0; above 1e-4 it is named, in bf16 above 0.03.
//!
//! ## Example
//! An attention without its triangular mask.
//!
//! ## Fix
//! Mask what comes later before the softmax.
//!
//! ## When it is wrong
//! When the architecture sees both ways, as BERT does: then it is not looked at.
//!
//! ## Source
//! Vaswani et al., Attention Is All You Need (2017), section 3.2.3.

use luthier_plan::ResolvedPrecision;
use luthier_recipe::Arch;

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("ATT201", "future-seen", Category::Attention, include_str!("future_seen.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let plan = view.facts().plan.filter(|plan| plan.recipe.model.arch == Arch::Gpt2)?;
    // eight bits of mantissa: a change of order alone is a few hundredths of the spread
    let rounding = if plan.precision == ResolvedPrecision::Fp32 { 1e-4 } else { 0.03 };
    let future = view.probes.future.filter(|future| *future > rounding)?;
    Some(
        rule.finding()
            .at("model")
            .weigh(Severity::Error, 0.96)
            .evidence(format!(
                "another last token changes earlier positions by {:.2} % of their spread",
                100.0 * future
            ))
            .because(
                "a token is seen by those before it, so that the model is given what it is to predict",
                "earlier positions are the same whatever follows",
            ),
    )
}
