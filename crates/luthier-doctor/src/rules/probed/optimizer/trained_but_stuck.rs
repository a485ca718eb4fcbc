//! # OPT205 trained-but-stuck
//!
//! ## What it finds
//! A tensor that is trained, has a gradient, and does not move.
//!
//! ## Why it hurts
//! The optimizer does not know it, holds another tensor in its place, or its steps are lost in rounding. The
//! network trains around it.
//!
//! ## How it is measured
//! Every trained tensor before and after the first five updates, bit by bit. Named when its gradient was
//! above zero in one of them and it is the same. Without a gradient it is left to the rules that say why, or
//! is a part that this task does not use.
//!
//! ## Example
//! An optimizer that was made before the head was replaced.
//!
//! ## Fix
//! Make the optimizer after the model is complete; check `optim.groups`.
//!
//! ## When it is wrong
//! When its rate is zero in the first updates alone.
//!
//! ## Source
//! huggingface/accelerate issue 2665, microsoft/DeepSpeed issue 1483.

use serde_json::json;

use super::super::view::{View, one};
use crate::reading;
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "OPT205",
    "trained-but-stuck",
    Category::Optimizer,
    include_str!("trained_but_stuck.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    // before an update at a rate above zero, a gradient moves nothing
    let live = |step: &&crate::StepFacts| step.lr.iter().all(|lr| *lr > 0.0);
    let graded = |name: &&String| {
        let points = view.probes.steps.iter().filter(live).flat_map(|step| &step.tensors);
        points.filter(|point| point.name == **name).any(|point| point.grad > 0.0)
    };
    let stuck: Vec<&String> = view.probes.stuck.iter().filter(graded).collect();
    let first = *stuck.first()?;
    let groups = view.facts().plan.and_then(|plan| reading::livelier_groups(plan, first));
    let finding = rule
        .finding()
        .at(first.clone())
        .weigh(Severity::Error, 0.9)
        .evidence(format!(
            "{first} has a gradient and is bit by bit what it was before {} updates",
            view.probes.steps.len()
        ))
        .evidence(format!("{} trained tensors are so", stuck.len()))
        .because(
            "the optimizer does not move a tensor that it should",
            "the tensor differs after more updates",
        );
    Some(match groups {
        Some(groups) => finding.fix("give it the base rate", [("optim.groups", json!(groups))]),
        None => finding,
    })
}
