//! # FIN201 frozen-but-moving
//!
//! ## What it finds
//! A frozen tensor that the optimizer moves.
//!
//! ## Why it hurts
//! What was to be kept is not: weight decay or momentum of an optimizer that holds frozen tensors changes
//! them even without a gradient.
//!
//! ## How it is measured
//! Every frozen tensor before and after the first five updates, bit by bit.
//!
//! ## Example
//! ```toml
//! An optimizer over all parameters, some with `requires_grad = False` set too late.
//! ```
//!
//! ## Fix
//! Give the optimizer only what is trained.
//!
//! ## When it is wrong
//! When tensors are shared and one of their names is trained.
//!
//! ## Source
//! open-mmlab/mmpretrain issue 702, in TrainCheck (Jiang et al. 2025).

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "FIN201",
    "frozen-but-moving",
    Category::Finetune,
    include_str!("frozen_but_moving.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let first = view.probes.drifted.first()?;
    Some(
        rule.finding()
            .at(first.clone())
            .weigh(Severity::Error, 0.95)
            .evidence(format!(
                "{} frozen tensors moved in the first {} updates, {first} the first",
                view.probes.drifted.len(),
                view.probes.steps.len()
            ))
            .because(
                "what the recipe freezes is trained or decayed all the same",
                "the tensors are bit by bit the same",
            ),
    )
}
