//! # FIN002 frozen-random
//!
//! ## What it finds
//! Frozen layers that start from random weights.
//!
//! ## Why it hurts
//! They never learn: what stands above them sees a random projection of the input.
//!
//! ## How it is measured
//! Weights that are frozen, by LoRA too, while `weights = "none"`, or frozen tensors that the weight file did not hold. An error
//! when most of the model is, a warning otherwise.
//!
//! ## Example
//! ```toml
//! [model]
//! weights = "none"
//! freeze = ["layer1.*"]
//! ```
//!
//! ## Fix
//! Train them, or load weights.
//!
//! ## When it is wrong
//! For random features on purpose.
//!
//! ## Source
//! TrainCheck lists a case with a frozen head that its rules could not catch.

use luthier_plan::{Role, TensorPlan};
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN002",
    name: "frozen-random",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("frozen_random.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let random = |tensor: &&TensorPlan| match &plan.model.load {
        _ if !reading::pretrained(plan) => true,
        Some(load) => load.head.contains(&tensor.name) || load.missing.contains(&tensor.name),
        None => false,
    };
    // a head that is frozen has a rule of its own
    let head: Vec<&str> = reading::head(plan).map(|tensor| tensor.name.as_str()).collect();
    let weights: Vec<_> = plan.model.tensors.iter().filter(|tensor| tensor.role == Role::Weight).collect();
    let frozen =
        weights.iter().copied().filter(|tensor| !tensor.trainable && !head.contains(&tensor.name.as_str()));
    let stuck: Vec<&str> = frozen.filter(random).map(|tensor| tensor.name.as_str()).collect();
    if stuck.is_empty() {
        return Vec::new();
    }
    // what LoRA adapts is worth nothing where it is random, however few of the tensors it is
    let most = plan.model.lora.is_some() || stuck.len() * 2 > weights.len();
    let (key, empty) = if plan.model.lora.is_some() {
        // LoRA over random weights: all of them rest
        ("model.lora", json!(null))
    } else if plan.recipe.model.train.is_some() {
        ("model.train", json!(null))
    } else {
        ("model.freeze", json!([]))
    };
    let finding = rule
        .finding()
        .at(key)
        .weigh(if most { Severity::Error } else { Severity::Warning }, 0.9)
        .evidence(format!(
            "{} of {} weights are frozen and random, such as `{}`",
            stuck.len(),
            weights.len(),
            stuck[0]
        ))
        .because(
            "what is frozen at random never learns, and all above it sees noise",
            "the random features are meant",
        )
        .fix("train everything", [(key, empty)]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn random_layers_must_train() {
        let world = World::default();
        let frozen = "model.freeze=[\"layer1*\"]";
        assert_eq!(
            severity(&RULE, PICTURES, &["model.weights=none", frozen], &world),
            Some(Severity::Warning)
        );
        assert_eq!(
            severity(&RULE, PICTURES, &["model.weights=none", "model.train=[\"fc*\"]"], &world),
            Some(Severity::Error)
        );
        assert_eq!(severity(&RULE, PICTURES, &[frozen], &world), None);
        assert_eq!(severity(&RULE, PICTURES, &["model.train=[\"fc*\"]"], &world), None);
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
        let lora = "model.lora={ alpha = 8.0 }";
        assert_eq!(severity(&RULE, TEXTS, &["model.weights=none", lora], &world), Some(Severity::Error));
        assert_eq!(severity(&RULE, TEXTS, &[lora], &world), None);
    }
}
