//! # LAB202 labels-constant
//!
//! ## What it finds
//! Training labels that are all the same.
//!
//! ## Why it hurts
//! There is one answer, and a bias learns it. The loss falls to nothing and the model knows nothing.
//!
//! ## How it is measured
//! Labels of the training split, counted; of a regression, the targets' deviation.
//!
//! ## Example
//! A label column that was divided with the features, and became 0.
//!
//! ## Fix
//! Read the column that holds the label, unscaled.
//!
//! ## When it is wrong
//! Never for a task with more than one answer.
//!
//! ## Source
//! UMLAUT (Schoop, Huang and Hartmann 2021) checks the number of classes.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "LAB202",
    "labels-constant",
    Category::Labels,
    include_str!("labels_constant.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let targets = view.probes.targets.as_ref()?;
    let samples: u64 = targets.counts.iter().sum();
    let one_class = targets.counts.len() > 1 && samples > 1 && view.classes() == 1;
    let one_number = !targets.ranges.is_empty() && targets.ranges.iter().all(|[min, max, ..]| min == max);
    (one_class || one_number).then(|| {
        let said = if one_class {
            format!("all {samples} training samples are of one of {} classes", targets.counts.len())
        } else {
            format!("every target is {:.4}", targets.ranges[0][0])
        };
        rule.finding().at("data").weigh(Severity::Error, 0.97).evidence(said).because(
            "a bias learns the one answer there is, and nothing of the samples",
            "the files hold other labels",
        )
    })
}
