//! # OPT010 two-optimizers
//!
//! ## What it finds
//! Parameters that the optimizers of two streams move.
//!
//! ## Why it hurts
//! Each optimizer keeps its own averages of the gradient. What one has learned about a parameter the other does not
//! know, and each step starts where the other has just been: with Adam, a parameter that a stream hardly touches still
//! gets that stream's full-sized steps, in the direction of its noise. At a rate for fine-tuning that is a shaking that
//! does no harm; at a high one the streams undo each other.
//!
//! ## How it is measured
//! The plan says which optimizer moves what. A note as long as both rates are those of fine-tuning (Adam up to 1e-3),
//! a warning above, as the updates in turn then overwrite each other.
//!
//! ## Example
//! ```toml
//! [[streams]]
//! name = "synthetic"
//! optim = { type = "Adam", lr = 0.01 }   # everything, LoRA's matrices too
//! [[streams]]
//! name = "replay"
//! optim = { type = "Adam", lr = 0.01 }
//! train = ["*lora_*", "classifier.*"]
//! ```
//!
//! ## Fix
//! One optimizer by the sum of both gradients (`train.interleave = "sum"`), or a lower rate for both.
//!
//! ## When it is wrong
//! Replay that is meant to pull the same weights both ways works so at a low rate; that is a note.
//!
//! ## Source
//! torch.optim keeps state per optimizer and parameter; the question of document 1's author.

use std::collections::BTreeMap;

use luthier_plan::{Plan, streams};
use luthier_recipe::Rule as Update;
use serde_json::{Value as Json, json};

use crate::{Category, Facts, Finding, Fix, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT010",
    name: "two-optimizers",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("two_optimizers.rs"),
    look,
};

/// The highest rate that is usual for Adam in fine-tuning, and of SGD's step by its momentum.
const ADAM: f64 = 1e-3;
const SGD: f64 = 0.3;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let shared = streams::shared(plan);
    let Some((name, movers)) = shared.first() else { return Vec::new() };
    let high = streams::all(plan)
        .filter(|stream| movers.contains(&stream.stream.as_str()) && is_high(stream))
        .count();
    let severity = if high > 1 { Severity::Warning } else { Severity::Info };
    let finding = rule
        .finding()
        .at("streams")
        .weigh(severity, 0.6)
        .evidence(format!(
            "{} tensors, such as `{name}`, are moved by {}",
            shared.len(),
            movers.join(" and ")
        ))
        .because(
            "each optimizer keeps averages of gradients that the other's steps have made stale",
            "with one optimizer for both, the losses of both streams fall as they do now",
        );
    let summary = "one optimizer, by the sum of all streams' gradients".to_owned();
    vec![Finding { fix: Some(Fix { summary, patch: summed(plan) }), ..finding }]
}

/// What makes one optimizer of several: those of the streams beside the first are taken out, and the first moves what any did.
fn summed(plan: &Plan) -> BTreeMap<String, Json> {
    let mut patch = BTreeMap::from([("train.interleave".to_owned(), json!("sum"))]);
    let lists: Vec<&Vec<String>> = plan.recipe.streams.iter().map(|stream| &stream.train).collect();
    if let Some((first, others)) = lists.split_first().filter(|(first, _)| !first.is_empty()) {
        let all = others.iter().any(|list| list.is_empty());
        let mut moved = (*first).clone();
        for pattern in others.iter().flat_map(|list| list.iter()) {
            if !moved.contains(pattern) {
                moved.push(pattern.clone());
            }
        }
        if all || moved.len() > first.len() {
            patch.insert("streams[0].train".into(), if all { Json::Null } else { json!(moved) });
        }
    }
    for (at, stream) in plan.recipe.streams.iter().enumerate() {
        let given = [
            ("optim", at > 0 && stream.optim.is_some()),
            ("schedule", at > 0 && stream.schedule.is_some()),
            ("train", at > 0 && !stream.train.is_empty()),
            ("clip_grad_norm", at > 0 && stream.clip_grad_norm.is_some()),
            ("steps", stream.steps != 1),
        ];
        let gone = given.iter().filter(|(_, given)| *given);
        patch.extend(gone.map(|(name, _)| (format!("streams[{at}].{name}"), Json::Null)));
    }
    patch
}

fn is_high(plan: &Plan) -> bool {
    let lr = plan.recipe.optim.lr;
    match plan.recipe.optim.rule {
        Update::SGD { momentum, .. } => lr / (1.0 - momentum) > SGD,
        _ => lr > ADAM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Two streams; the second moves what is named.
    fn look_at(lr: f64, second: &[&str]) -> Option<Severity> {
        let sets = ["optim={ type = \"Adam\", lr = 0.01 }"];
        let mut plan = Subject::new(PICTURES, &sets, &World::default()).plan;
        plan.recipe.optim.lr = lr;
        let mut other = plan.clone();
        (plan.stream, other.stream) = ("new".into(), "replay".into());
        for tensor in &mut other.model.tensors {
            let its = second.iter().any(|name| tensor.name.starts_with(name));
            tensor.group = tensor.group.filter(|_| its);
        }
        plan.streams = vec![other];
        look(&RULE, &Facts { plan: Some(&plan), ..Facts::default() }).first().map(|finding| finding.severity)
    }

    #[test]
    fn shared_weights_are_told_and_high_rates_warned_of() {
        assert_eq!(look_at(0.01, &["fc"]), Some(Severity::Warning));
        assert_eq!(look_at(1e-4, &["fc"]), Some(Severity::Info));
        assert_eq!(look_at(0.01, &["nothing"]), None);
    }

    #[test]
    fn the_cure_leaves_nothing_that_nobody_steps_with_and_moves_all_that_was_moved() {
        let mut plan = Subject::new(PICTURES, &[], &World::default()).plan;
        let optim = json!({ "type": "Adam", "lr": 0.01 });
        let second =
            json!({ "name": "b", "optim": optim, "train": ["fc.*"], "clip_grad_norm": 1.0, "steps": 2 });
        let mut cure = |first: Json| {
            plan.recipe.streams = serde_json::from_value(json!([first, second])).unwrap();
            json!(summed(&plan))
        };
        let gone = json!({
            "train.interleave": "sum", "streams[1].optim": null, "streams[1].train": null,
            "streams[1].clip_grad_norm": null, "streams[1].steps": null,
        });
        assert_eq!(cure(json!({ "name": "a" })), gone);
        let both = cure(json!({ "name": "a", "train": ["layer4.*", "layer3.*"] }));
        assert_eq!(both["streams[0].train"], json!(["layer4.*", "layer3.*", "fc.*"]));
        assert_eq!(cure(json!({ "name": "a", "train": ["fc.*"] })), gone);
    }

    #[test]
    fn one_stream_has_one_optimizer() {
        assert_eq!(
            severity(&RULE, PICTURES, &["optim={ type = \"Adam\", lr = 0.01 }"], &World::default()),
            None
        );
    }
}
