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
//! updates than that fit had, classes are few and even, and nothing else explains it. Of a table, features and
//! labels are compared without any model as well, by distance correlation, which is zero for what is independent
//! and nothing else: where dealing the labels out anew gives as much in more than one of twenty tries, they are
//! unrelated; where it gives as much in less than one of a hundred, they are not, whatever a fit did.
//!
//! ## Example
//! Rows sorted by label after the features were read.
//!
//! ## Fix
//! Read a few samples beside their labels.
//!
//! ## When it is wrong
//! When the relation is there but takes longer to find than the fit had updates, as parity does, or is so weak that
//! three hundred rows do not show it.
//!
//! ## Source
//! Zhang et al., Understanding deep learning requires rethinking generalization (2017): networks learn random
//! labels by heart. Székely, Rizzo and Bakirov, Measuring and testing dependence by correlation of distances (2007).

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

/// Rows that show a relation where there is one worth learning.
const ROWS: u64 = 100;

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    if let Some(relation) = view.probes.relation {
        if relation.chance <= 0.01 {
            return None;
        }
        if relation.chance > 0.05 && relation.samples >= ROWS && view.classes() <= 20 && mixed(view) {
            return Some(unrelated(rule, relation));
        }
    }
    short_fit(rule, view)
}

/// No class has nearly all samples: then there are too few of the others to compare.
fn mixed(view: View<'_>) -> bool {
    let counts = view.probes.targets.as_ref().map(|targets| targets.counts.as_slice()).unwrap_or_default();
    let all: u64 = counts.iter().sum();
    all == 0 || counts.iter().max().is_some_and(|most| *most as f64 <= 0.95 * all as f64)
}

fn unrelated(rule: &Rule, relation: crate::RelationFacts) -> Finding {
    rule.finding()
        .at("data")
        .weigh(Severity::Warning, 0.8)
        .evidence(format!(
            "of {} training rows, those that are near one another have labels no nearer than others: the distance correlation \
             is {:.3}, and {:.0} % of the ways to deal the labels out anew give as much",
            relation.samples,
            relation.correlation,
            100.0 * relation.chance
        ))
        .because(
            "the labels do not depend on the features: they do not belong to their rows, or the columns say nothing of them",
            "more rows show a relation, or a longer run is better than the mean on rows it has not seen",
        )
}

fn short_fit(rule: &Rule, view: View<'_>) -> Option<Finding> {
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
