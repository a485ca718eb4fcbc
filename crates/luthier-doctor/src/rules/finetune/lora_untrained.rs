//! # FIN007 lora-untrained
//!
//! ## What it finds
//! Matrices of LoRA that no optimizer moves.
//!
//! ## Why it hurts
//! B starts at zero: a layer whose B stays there gives what it gave without LoRA, at LoRA's price.
//!
//! ## How it is measured
//! The plan says which stream's optimizer moves what. Matrices that none moves are counted: an error where it is all of
//! them, a warning where it is some.
//!
//! ## Example
//! ```toml
//! [model]
//! lora = { r = 8, alpha = 16.0 }
//! [[streams]]
//! name = "new"
//! train = ["classifier.*"]
//! [[streams]]
//! name = "replay"
//! train = ["classifier.*"]
//! ```
//!
//! ## Fix
//! `*lora_*` in the `train` of one stream, or no `train` at all.
//!
//! ## When it is wrong
//! For an adapter that was learned before and shall stay as it is: then merge it and leave `lora` out.
//!
//! ## Source
//! alpaca-lora's issue 352, in which nothing was trainable and the loss stayed where it was.

use luthier_plan::{Plan, TensorPlan, of_lora, streams};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN007",
    name: "lora-untrained",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("lora_untrained.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.model.lora.is_some()) else { return Vec::new() };
    let matrices = || moved(plan).into_iter().filter(|(tensor, _)| of_lora(&tensor.name));
    let still: Vec<&str> =
        matrices().filter(|(_, moved)| !moved).map(|(tensor, _)| tensor.name.as_str()).collect();
    let Some(name) = still.first() else { return Vec::new() };
    let all = matrices().count();
    let (severity, confidence) =
        if still.len() == all { (Severity::Error, 0.97) } else { (Severity::Warning, 0.7) };
    let finding = rule
        .finding()
        .at(if plan.recipe.streams.is_empty() { "model.lora" } else { "streams" })
        .weigh(severity, confidence)
        .evidence(format!(
            "{} of {all} matrices of LoRA are moved by no optimizer, such as `{name}`",
            still.len()
        ))
        .because(
            "the adapted layers give what they gave without LoRA, as B stays zero",
            "B is not zero in the last checkpoint",
        );
    let first = plan.recipe.streams.first().map(|stream| stream.train.clone()).unwrap_or_default();
    if first.is_empty() {
        return vec![finding];
    }
    let train: Vec<String> = first.into_iter().chain(["*lora_*".to_owned()]).collect();
    vec![finding.fix("let the first stream's optimizer move them", [("streams[0].train", json!(train))])]
}

/// Every tensor, and whether an optimizer moves it.
pub(crate) fn moved(plan: &Plan) -> Vec<(&TensorPlan, bool)> {
    streams::movers(plan).into_iter().map(|(tensor, movers)| (tensor, !movers.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Two streams, of which each moves what is named.
    fn look_at(first: &[&str], second: &[&str]) -> Option<Severity> {
        let mut plan = Subject::new(TEXTS, &["model.lora={ r = 8, alpha = 16.0 }"], &World::default()).plan;
        let mut other = plan.clone();
        (plan.stream, other.stream) = ("new".into(), "replay".into());
        for (plan, its) in [(&mut plan, first), (&mut other, second)] {
            for tensor in &mut plan.model.tensors {
                let mine = its.iter().any(|part| tensor.name.contains(part));
                tensor.group = tensor.group.filter(|_| mine);
            }
        }
        plan.streams = vec![other];
        look(&RULE, &Facts { plan: Some(&plan), ..Facts::default() }).first().map(|finding| finding.severity)
    }

    #[test]
    fn some_optimizer_moves_every_matrix() {
        assert_eq!(look_at(&["score"], &["score"]), Some(Severity::Error));
        assert_eq!(look_at(&["score", "lora_A"], &["score"]), Some(Severity::Warning));
        assert_eq!(look_at(&["score"], &["score", "lora_"]), None);
        assert_eq!(look_at(&["lora_A"], &["lora_B"]), None, "one of each is moved by each");
        let alone = |sets: &[&str]| severity(&RULE, TEXTS, sets, &World::default());
        assert_eq!(alone(&["model.lora={ r = 8, alpha = 16.0 }"]), None);
        assert_eq!(alone(&[]), None);
    }
}
