//! # OPT011 no-optimizer
//!
//! ## What it finds
//! Parameters that the model trains and that no stream's optimizer moves.
//!
//! ## Why it hurts
//! They stay as they are, and nothing says so: the loss falls by what the others can do.
//!
//! ## How it is measured
//! What `model.freeze`, `model.train` and `model.lora` leave to be trained, less what the `train` patterns of any stream
//! match. Random weights that stay are an error, others a warning.
//!
//! ## Example
//! ```toml
//! [[streams]]
//! name = "new"
//! train = ["layer4.*", "classifier.*"]
//! [[streams]]
//! name = "replay"
//! train = ["classifier.*"]           # layer1 to layer3 are moved by nobody
//! ```
//!
//! ## Fix
//! Add them to a stream's `train`, or freeze them in `model.freeze`, which says what is meant.
//!
//! ## When it is wrong
//! When they shall rest: `model.freeze` says it to the reader, too.
//!
//! ## Source
//! DeepSpeed's issue 1483: layers that were made after the optimizer never change.

use luthier_plan::{Patterns, Plan, Role, TensorPlan};
use serde_json::json;

use crate::rules::finetune::lora_untrained::moved;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity, reading};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT011",
    name: "no-optimizer",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("no_optimizer.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !plan.streams.is_empty()) else { return Vec::new() };
    let Some(wanted) = wanted(plan) else { return Vec::new() };
    let moved = moved(plan);
    let still: Vec<&TensorPlan> = moved
        .into_iter()
        .filter(|(tensor, moved)| !moved && wanted(tensor))
        .map(|(tensor, _)| tensor)
        .collect();
    let Some(first) = still.first() else { return Vec::new() };
    let random = |tensor: &&&TensorPlan| match &plan.model.load {
        Some(load) => load.head.contains(&tensor.name) || load.missing.contains(&tensor.name),
        None => true,
    };
    let random = still.iter().filter(random).count();
    let severity = if random > 0 { Severity::Error } else { Severity::Warning };
    let mut finding = rule.finding().at("streams").weigh(severity, 0.8).evidence(format!(
        "{} of {} tensors are moved by no stream's optimizer, such as `{}`",
        still.len(),
        plan.model.tensors.iter().filter(|tensor| tensor.role != Role::Buffer).count(),
        first.name
    ));
    if random > 0 && reading::pretrained(plan) {
        finding = finding.evidence(format!("{random} of them start random, and stay so"));
    }
    let mut freeze = plan.recipe.model.freeze.clone();
    let finding = finding.because(
        "the streams' `train` patterns leave them out, and nothing else trains them",
        "`model.freeze` was meant to name them",
    );
    if random > 0 || plan.recipe.model.train.is_some() || plan.recipe.model.lora.is_some() {
        return vec![finding.fix(
            "let the first stream's optimizer move all that the model trains",
            [("streams[0].train", json!([]))],
        )];
    }
    freeze.extend(still.iter().map(|tensor| tensor.name.clone()));
    vec![finding.fix("say that they rest", [("model.freeze", json!(freeze))])]
}

/// Whether the model's own keys leave a tensor to be trained; `None` where patterns cannot be read, which is told
/// elsewhere. LoRA's matrices are [`super::super::finetune::lora_untrained`]'s.
fn wanted(plan: &Plan) -> Option<impl Fn(&TensorPlan) -> bool> {
    let model = &plan.recipe.model;
    let freeze = Patterns::new(&model.freeze, "model.freeze").ok()?;
    let train = model.train.as_ref().map(|train| Patterns::new(train, "model.train")).transpose().ok()?;
    let saved = plan.model.lora.as_ref().map(|lora| lora.modules_to_save.clone());
    Some(move |tensor: &TensorPlan| {
        let name = tensor.name.as_str();
        let below =
            |layer: &String| name.strip_prefix(layer.as_str()).is_some_and(|rest| rest.starts_with('.'));
        tensor.role != Role::Buffer
            && freeze.first(name).is_none()
            && train.as_ref().is_none_or(|train| train.first(name).is_some())
            && saved.as_ref().is_none_or(|saved| saved.iter().any(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Two streams, of which each moves what is named.
    fn look_at(sets: &[&str], first: &[&str], second: &[&str]) -> Vec<Finding> {
        let mut plan = Subject::new(PICTURES, sets, &World::default()).plan;
        let mut other = plan.clone();
        (plan.stream, other.stream) = ("new".into(), "replay".into());
        for (plan, its) in [(&mut plan, first), (&mut other, second)] {
            for tensor in &mut plan.model.tensors {
                let mine = its.iter().any(|part| tensor.name.starts_with(part));
                tensor.group = tensor.group.filter(|_| mine);
            }
        }
        plan.streams = vec![other];
        look(&RULE, &Facts { plan: Some(&plan), ..Facts::default() })
    }

    #[test]
    fn what_nobody_moves_is_told() {
        let loaded = look_at(&[], &["layer1", "fc"], &["fc"]);
        assert_eq!(loaded[0].severity, Severity::Warning);
        assert!(
            loaded[0].fix.as_ref().unwrap().patch["model.freeze"]
                .as_array()
                .unwrap()
                .contains(&"conv1.weight".into())
        );
        let head = look_at(&[], &["layer1", "conv1", "bn1"], &["layer1"]);
        assert_eq!(head[0].severity, Severity::Error, "the head starts random");
        assert_eq!(look_at(&["model.weights=none"], &["fc"], &["layer1"])[0].severity, Severity::Error);
    }

    #[test]
    fn what_rests_by_name_is_left_alone() {
        assert!(look_at(&["model.freeze=[\"conv1.*\",\"bn1.*\",\"layer1*\"]"], &["fc"], &["fc"]).is_empty());
        assert!(look_at(&["model.train=[\"fc.*\"]"], &["fc"], &["fc"]).is_empty());
        assert!(look_at(&[], &["conv1", "bn1", "layer1"], &["fc"]).is_empty(), "between them they move all");
        let one = Subject::new(PICTURES, &[], &World::default());
        assert!(one.look(&RULE).is_empty(), "one stream has one optimizer");
    }
}
