//! # CON005 few-positives
//!
//! ## What it finds
//! Batches in which most samples are alone in their class: a triplet loss has no positive for them.
//!
//! ## Why it hurts
//! A sample without another of its class in its batch is in no triplet but as a negative. With many classes and small
//! batches most of each forward pass is thrown away, the loss is a mean over a handful of triplets, and a batch without any
//! teaches nothing at all.
//!
//! ## How it is measured
//! From the classes' sizes and the batch: the share of samples that have another of their class in a batch that is drawn as
//! it comes. A warning below a half, an error below a tenth. Of a run besides, how many batches had nothing to contrast.
//!
//! ## Example
//! ```toml
//! # a hundred classes
//! [contrastive]
//! loss = ["triplet"]
//! [train]
//! batch_size = 16
//! ```
//!
//! ## Fix
//! `m_per_class = 4`: every batch has four samples of each of its classes. Or `sup_con`, whose second view is a positive.
//!
//! ## When it is wrong
//! Never of the numbers; a long run may get there all the same.
//!
//! ## Source
//! Hermans, Beyer & Leibe 2017: batches of P classes with K samples each; `MPerClassSampler` of pytorch-metric-learning.

use luthier_plan::{Plan, contrast};
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON005",
    name: "few-positives",
    category: Category::Contrastive,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("few_positives.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(share) = contrast::positives(plan).filter(|share| *share < 0.5) else { return Vec::new() };
    let batch = plan.recipe.train.batch_size;
    let severity = if share < 0.1 { Severity::Error } else { Severity::Warning };
    let mut finding = rule
        .finding()
        .at("contrastive.m_per_class")
        .weigh(severity, 0.9)
        .evidence(format!(
            "{:.0} % of the samples have another of their class in their batch of {batch}, which has {} classes to draw from",
            share * 100.0,
            plan.data.classes.len()
        ))
        .because(
            "the other samples are in no triplet but as negatives, and a batch without any teaches nothing",
            "`positives` in the run's metrics is near 1",
        );
    let steps = facts.run.map_or(&[][..], |run| run.metrics.steps.as_slice());
    let barren: u64 = steps.iter().flat_map(|step| &step.tasks).map(|task| task.barren).sum();
    if barren > 0 {
        finding =
            finding.evidence(format!("{barren} batches in {} updates had nothing to contrast", steps.len()));
    }
    if let Some(m) = per_class(plan) {
        finding = finding.fix(
            format!("{m} samples of each of {} classes in every batch", batch / m),
            [("contrastive.m_per_class", json!(m))],
        );
    }
    vec![finding]
}

/// Samples of each class that batches can have.
fn per_class(plan: &Plan) -> Option<u64> {
    let batch = plan.recipe.train.batch_size;
    let counts = reading::class_sizes(plan);
    let there = counts.iter().filter(|count| **count > 0).count() as u64;
    let smallest = counts.iter().copied().filter(|count| *count > 0).min()?;
    [4, 8, 2, 3]
        .into_iter()
        .find(|m| batch.is_multiple_of(*m) && batch / m >= 2 && batch / m <= there && *m <= smallest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sample::flat;
    use crate::testing::*;

    fn world(classes: usize, each: u64) -> World {
        World { counts: vec![each; classes], ..World::default() }
    }

    fn with(sets: &[&str], world: &World) -> Vec<Finding> {
        Subject::new(TRIPLETS, sets, world).look(&RULE)
    }

    #[test]
    fn classes_that_rarely_meet_are_found() {
        let found = with(&["train.batch_size=16"], &world(400, 4));
        assert_eq!(found[0].severity, Severity::Error);
        assert_eq!(found[0].fix.as_ref().unwrap().patch["contrastive.m_per_class"], json!(4));
        // about a quarter
        let found = with(&["train.batch_size=32"], &world(100, 20));
        assert_eq!(found[0].severity, Severity::Warning, "{found:?}");
        assert!(
            found[0].evidence[0].starts_with("27 %") || found[0].evidence[0].starts_with("26 %"),
            "{found:?}"
        );
        // ten classes in batches of 64, as they come
        assert!(with(&[], &world(10, 120)).is_empty());
        // as many classes as above, four samples of each
        let drawn = ["train.batch_size=16", "contrastive.m_per_class=4"];
        assert!(with(&drawn, &world(400, 4)).is_empty());
        // the other view is a positive
        let subject = Subject::new(SUP_CON, &["train.batch_size=16"], &world(400, 4));
        assert!(subject.look(&RULE).is_empty());
        assert!(Subject::new(CONTRAST, &[], &World::default()).look(&RULE).is_empty());
    }

    #[test]
    fn batches_without_any_are_counted() {
        let subject = Subject::new(TRIPLETS, &["train.batch_size=16"], &world(400, 4));
        let made = flat(100).triplets(|update| if update % 4 == 0 { (0.0, 0.0) } else { (0.1, 0.9) });
        let facts = Facts { run: Some(&made.0), plan: Some(&subject.plan), ..Facts::default() };
        let found = look(&RULE, &facts);
        assert_eq!(found[0].evidence[1], "25 batches in 100 updates had nothing to contrast");
    }
}
