//! # FIN003 head-frozen
//!
//! ## What it finds
//! A head that starts random and is frozen.
//!
//! ## Why it hurts
//! The classes are read off a random matrix that never changes. What trains below it has to bend to it.
//!
//! ## How it is measured
//! The tensors of the last part: frozen, and not among those that were loaded.
//!
//! ## Example
//! ```toml
//! [model]
//! weights = "resnet18.pth"
//! freeze = ["*.weight"]
//! ```
//!
//! ## Fix
//! Take the head out of `freeze`, or add it to `train`.
//!
//! ## When it is wrong
//! For a fixed random head on purpose (Hoffer et al. 2018).
//!
//! ## Source
//! A case of TrainCheck's that "cannot be automatically captured".

use luthier_plan::{Patterns, Role, TensorPlan};
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN003",
    name: "head-frozen",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("head_frozen.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let new = |tensor: &&TensorPlan| match &plan.model.load {
        Some(load) => load.head.contains(&tensor.name) || load.missing.contains(&tensor.name),
        None => true,
    };
    let weights = reading::head(plan).filter(|tensor| tensor.role == Role::Weight).filter(new);
    let frozen: Vec<&str> =
        weights.filter(|tensor| !tensor.trainable).map(|tensor| tensor.name.as_str()).collect();
    let Some(name) = frozen.first() else { return Vec::new() };
    let model = &plan.recipe.model;
    let finding = rule
        .finding()
        .at(if model.train.is_some() { "model.train" } else { "model.freeze" })
        .weigh(Severity::Error, 0.97)
        .evidence(format!("`{name}` starts random and is not trained"))
        .because(
            "the classes are read off a random matrix that never changes",
            "the head's weights were loaded",
        );
    let part = name.rsplit_once('.').map_or(*name, |(part, _)| part);
    let mut rest = model.freeze.clone();
    rest.retain(|pattern| {
        !Patterns::new(std::slice::from_ref(pattern), "model.freeze")
            .is_ok_and(|one| one.first(name).is_some())
    });
    // where all started random there is nothing to keep
    if !reading::pretrained(plan) {
        let patch = match &model.train {
            Some(_) => ("model.train", json!(null)),
            None => ("model.freeze", json!([])),
        };
        return vec![finding.fix("train everything", [patch])];
    }
    vec![match &model.train {
        Some(train) => {
            let train: Vec<String> = train.iter().cloned().chain([format!("{part}.*")]).collect();
            finding.fix("train the head as well", [("model.train", json!(train))])
        }
        None => finding.fix("freeze all but the head's patterns", [("model.freeze", json!(rest))]),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_new_head_must_train() {
        let world = World::default();
        assert_eq!(
            severity(&RULE, PICTURES, &["model.freeze=[\"*.weight\"]"], &world),
            Some(Severity::Error)
        );
        assert_eq!(severity(&RULE, PICTURES, &["model.train=[\"layer1*\"]"], &world), Some(Severity::Error));
        assert_eq!(severity(&RULE, PICTURES, &["model.freeze=[\"conv1*\",\"layer*\"]"], &world), None);
        assert_eq!(severity(&RULE, PICTURES, &["model.train=[\"fc*\"]"], &world), None);
        let loaded = World { load: luthier_plan::LoadReport { matched: 9, ..Default::default() }, ..world };
        assert_eq!(
            severity(&RULE, PICTURES, &["model.train=[\"layer1*\"]"], &loaded),
            None,
            "its weights were loaded"
        );
    }
}
