//! # NRM004 shared-statistics
//!
//! ## What it finds
//! Two streams of other samples that both move the running statistics of the same BatchNorm layers.
//!
//! ## Why it hurts
//! In training each batch is normalised by its own statistics; in evaluation every stream is normalised by the running ones,
//! a mixture of both that neither was trained with. Where the two kinds of samples differ, as drawings and photos do, both
//! streams look worse in evaluation than they are, and which one suffers depends on whose turn was last.
//!
//! ## How it is measured
//! From the plan: a trained BatchNorm (a frozen one keeps its statistics), and training samples of other folders in two
//! streams.
//!
//! ## Example
//! ```toml
//! [model]
//! arch = "resnet18"
//! [[streams]]
//! name = "synthetic"
//! data = { train = "drawings" }
//! [[streams]]
//! name = "replay"
//! data = { train = "photos" }
//! ```
//!
//! ## Fix
//! Pretrained norms: `model.freeze = ["*bn*"]`. Random ones have to learn: an architecture without BatchNorm (`vit`), or the
//! same transforms for both streams, so that their pixels have about the same mean and deviation.
//!
//! ## When it is wrong
//! When both folders hold the same kind of pictures.
//!
//! ## Source
//! Ioffe & Szegedy 2015; Xie et al. 2020, Adversarial Examples Improve Image Recognition, section 3.1, on one set of
//! statistics for two distributions.

use luthier_plan::{Plan, streams};
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "NRM004",
    name: "shared-statistics",
    category: Category::Normalization,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("shared_statistics.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !plan.streams.is_empty()) else { return Vec::new() };
    let first = root(plan);
    let Some(other) = plan.streams.iter().find(|other| root(other) != first) else { return Vec::new() };
    let trained = |at: usize| {
        streams::all(plan).any(|own| own.model.tensors.get(at).is_some_and(|tensor| tensor.trainable))
    };
    let norms: Vec<&str> = plan
        .model
        .tensors
        .iter()
        .enumerate()
        .filter(|(at, tensor)| {
            tensor.name.ends_with(".weight") && reading::is_batch_norm(plan, tensor) && trained(*at)
        })
        .map(|(_, tensor)| tensor.name.as_str())
        .collect();
    let Some(name) = norms.first() else { return Vec::new() };
    let finding = rule
        .finding()
        .at("streams")
        .weigh(Severity::Warning, 0.6)
        .evidence(format!(
            "the batches of `{}` ({}) and of `{}` ({}) both move the statistics of {} BatchNorm layers, such as `{}`",
            plan.stream,
            first.unwrap_or_default(),
            other.stream,
            root(other).unwrap_or_default(),
            norms.len(),
            name.trim_end_matches(".weight")
        ))
        .because(
            "evaluation normalises each stream by a mixture of both streams' statistics",
            "the loss of each stream on its training samples is the same in training and in evaluation",
        );
    if !reading::pretrained(plan) {
        return vec![finding];
    }
    let mut patterns = plan.recipe.model.freeze.clone();
    patterns.push("*bn*".into());
    if norms.iter().any(|name| name.contains("downsample.1.")) {
        patterns.push("*downsample.1.*".into());
    }
    vec![finding.fix("norms that keep the statistics they came with", [("model.freeze", json!(patterns))])]
}

/// The folder of a stream's training samples.
fn root(plan: &Plan) -> Option<&str> {
    plan.data.split("train").map(|split| split.root.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Two streams over folders; the second one's is named.
    fn look_at(second: &str, sets: &[&str]) -> Vec<Finding> {
        let mut plan = Subject::new(PICTURES, sets, &World::default()).plan;
        let mut other = plan.clone();
        (plan.stream, other.stream) = ("new".into(), "replay".into());
        other.data.splits[0].root = second.into();
        plan.streams = vec![other];
        look(&RULE, &Facts { plan: Some(&plan), ..Facts::default() })
    }

    #[test]
    fn two_kinds_of_pictures_share_no_statistics() {
        let found = look_at("photos", &[]);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
        assert!(found[0].evidence[0].contains("2 BatchNorm layers, such as `bn1`"), "{found:?}");
        assert_eq!(found[0].fix.as_ref().unwrap().patch["model.freeze"], json!(["*bn*"]));
        // random norms have to learn
        assert!(look_at("photos", &["model.weights=none"])[0].fix.is_none());
    }

    #[test]
    fn the_same_pictures_and_frozen_norms_may() {
        assert!(look_at("train", &[]).is_empty());
        assert!(look_at("photos", &["model.freeze=[\"*bn*\"]"]).is_empty());
        assert_eq!(severity(&RULE, PICTURES, &[], &World::default()), None);
    }
}
