//! # CON002 queue-longer-than-data
//!
//! ## What it finds
//! A queue that holds keys of a sample's own earlier views while the sample comes up again.
//!
//! ## Why it hurts
//! Every key in the queue is a negative. A key of the same picture from the epoch before is a false one: the sample is
//! pulled towards its other view and pushed away from its own embedding of last time. The loss has a floor that no
//! encoder gets below.
//!
//! ## How it is measured
//! The number of a sample's own keys in the queue, on average over a shuffled run: about queue / samples − ½. A warning
//! from a half on, an error from four on.
//!
//! ## Example
//! ```toml
//! # 50,000 pictures
//! [contrastive]
//! queue = 65536
//! ```
//!
//! ## Fix
//! A queue of at most a quarter of the samples, in whole batches.
//!
//! ## When it is wrong
//! With very many negatives one false one among them weighs little: then it costs some accuracy and no more.
//!
//! ## Source
//! He et al. 2020: 65,536 keys for 1.28 million pictures; the same numbers copied to CIFAR's 50,000.

use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON002",
    name: "queue-longer-than-data",
    category: Category::Contrastive,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("queue_too_long.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (Some(asked), Some(found)) = (&plan.recipe.contrastive, &plan.contrast) else { return Vec::new() };
    let own = found.false_negatives;
    if own < 0.5 {
        return Vec::new();
    }
    let samples = plan.data.split("train").map_or(0, |split| split.samples.len() as u64);
    let batch = plan.recipe.train.batch_size.max(1);
    let queue = (samples / 4 / batch).max(1) * batch;
    let severity = if own >= 4.0 { Severity::Error } else { Severity::Warning };
    let mut finding = rule
        .finding()
        .at("contrastive.queue")
        .weigh(severity, 0.85)
        .evidence(format!("the queue holds {} keys, and there are {samples} samples", asked.queue()))
        .evidence(format!("each sample meets {own:.1} keys of its own on average, and is pushed away from them"))
        .because(
            "samples are pushed away from their own embeddings of earlier epochs",
            "the accuracy of the nearest neighbours is no lower than with a queue of a quarter of the samples",
        );
    if queue < asked.queue() {
        finding = finding.fix(
            format!("a queue of {queue} keys: a quarter of the samples"),
            [("contrastive.queue", json!(queue))],
        );
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use luthier_plan::ContrastPlan;

    use super::*;
    use crate::testing::*;

    fn with(false_negatives: f64, sets: &[&str]) -> Vec<Finding> {
        let mut subject = Subject::new(CONTRAST, sets, &World::default());
        subject.plan.contrast = Some(ContrastPlan { false_negatives, positives: None });
        subject.look(&RULE)
    }

    #[test]
    fn keys_of_the_sample_itself_are_counted() {
        let found = with(1.2, &["contrastive.queue=2048"]);
        assert_eq!(found[0].severity, Severity::Warning);
        // 1,200 samples in batches of 64
        assert_eq!(found[0].fix.as_ref().unwrap().patch["contrastive.queue"], json!(256));
        assert_eq!(with(8.0, &["contrastive.queue=8192"])[0].severity, Severity::Error);
        assert!(with(0.1, &[]).is_empty());
        assert!(Subject::new(PICTURES, &[], &World::default()).look(&RULE).is_empty());
    }
}
