//! # LAB201 labels-unrelated
//!
//! ## What it finds
//! Labels that have nothing to do with their samples.
//!
//! ## Why it hurts
//! Features were shuffled without labels, or the wrong column is read. The training loss still falls, slowly,
//! by heart; validation stays at chance.
//!
//! ## How it is measured
//! The same short fit on a sample with its labels and with the labels dealt out anew, several seeds, judged
//! on samples that were held out: no better than chance, and no better than with wrong labels. A task that is
//! too hard for a short fit looks the same, so it is said only where one batch was learned by heart in fewer
//! updates than that fit had, classes are few and even, and nothing else explains it.
//!
//! ## Example
//! Rows sorted by label after the features were read.
//!
//! ## Fix
//! Read a few samples beside their labels.
//!
//! ## When it is wrong
//! When the relation is there but takes longer to find than the fit had updates, as parity does.
//!
//! ## Source
//! Zhang et al., Understanding deep learning requires rethinking generalization (2017): networks learn random
//! labels by heart.

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "LAB201",
    "labels-unrelated",
    Category::Labels,
    include_str!("labels_unrelated.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

/// Updates of the short fit.
const UPDATES: usize = 60;

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let permuted = view.probes.permuted?;
    let fit = view.probes.overfit.as_ref()?;
    let classes = view.classes();
    let quick = signs::learned(fit) && fit.losses.len() <= UPDATES;
    // where one class is frequent, a short fit says that class whatever the labels are; of many classes it has seen few
    let even = (2..=20).contains(&classes) && permuted.chance < 1.6 / classes as f64;
    let gap = permuted.truth - permuted.permuted;
    let none = gap < 2.0 * permuted.noise && permuted.truth <= permuted.chance + 2.0 * permuted.noise;
    // a noise of more than this hides any relation
    let sharp = permuted.noise < 0.08;
    // what a network of the recipe's own layers does not find in sixty updates is hardly there; a large one, or one on
    // pictures, may need longer
    let small = view.recipe().is_some_and(|recipe| recipe.task.reads_rows());
    let severity = if small { Severity::Warning } else { Severity::Info };
    (quick && even && none && sharp && !signs::not_the_rate(view)).then(|| {
        rule.finding()
            .at("data")
            .weigh(severity, 0.7)
            .evidence(format!(
                "a short fit is right on {:.1} % of held-out samples, with permuted labels on {:.1} %; the noise is {:.1} \
                 points, chance {:.1} %",
                100.0 * permuted.truth,
                100.0 * permuted.permuted,
                100.0 * permuted.noise,
                100.0 * permuted.chance
            ))
            .evidence(format!(
                "the same model learned {} samples by heart in {} updates: model and optimizer work",
                fit.samples,
                fit.losses.len() - 1
            ))
            .because(
                "the labels tell nothing about the samples that the model could use: they do not belong to them, or the \
                 relation is harder than a short fit can find",
                "a longer run beats chance on validation",
            )
    })
}
