//! # OPT001 lr-high-pretrained
//!
//! ## What it finds
//! A learning rate that is right for random weights, on weights that were trained before.
//!
//! ## Why it hurts
//! Pretrained weights are worth something because they are where they are. Adam moves every weight by about the
//! rate at each update: at 0.01, with weights of 0.02, they are gone after a few. What is left is a random start
//! with a bad size.
//!
//! ## How it is measured
//! The largest rate of the groups that hold pretrained tensors (not of a head that starts random). For Adam and
//! AdamW an error from 3e-3, a warning from 1e-3; for transformers a warning from 3e-4. For SGD the effective rate
//! lr / (1 − momentum), error from 0.3.
//!
//! ## Example
//! ```toml
//! [model]
//! weights = "resnet18.pth"
//! [optim]
//! type = "Adam"
//! lr = 0.01
//! ```
//!
//! ## Fix
//! Adam 1e-4 (transformers 5e-5), SGD 0.01 with momentum 0.9 at most; a rate of its own for the head.
//!
//! ## When it is wrong
//! When nearly all of the network is frozen and only new layers train; such groups are left out, and so is what LoRA
//! trains: FIN006 looks at that.
//!
//! ## Source
//! Published recipes fine-tune at 1e-5 … 1e-4 with Adam, and at 0.001 … 0.01 with SGD. The bands are wide on
//! purpose.

use std::collections::BTreeMap;

use luthier_plan::{Role, of_lora};
use luthier_recipe::Rule as Update;
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Fix, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT001",
    name: "lr-high-pretrained",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("lr_pretrained.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| reading::pretrained(plan) && reading::trusted(plan).is_none())
    else {
        return Vec::new();
    };
    let Some(load) = plan.model.load.as_ref().filter(|load| load.matched > 0) else { return Vec::new() };
    // nor are the heads that are trained whole beside it, whatever they were loaded with
    let whole = |name: &str| plan.model.lora.as_ref().is_some_and(|lora| lora.trains_whole(name));
    let kept = plan.model.tensors.iter().filter(|tensor| {
        tensor.role == Role::Weight
            && !whole(&tensor.name)
            && !load.head.contains(&tensor.name)
            && !load.missing.contains(&tensor.name)
            // LoRA's matrices are new; how far they may leap is a rule of its own
            && !of_lora(&tensor.name)
    });
    let rates = kept.filter_map(|tensor| plan.groups.get(tensor.group?)).map(|group| group.lr);
    let Some(lr) = rates.max_by(f64::total_cmp).map(|lr| reading::peak(plan, lr)) else { return Vec::new() };
    let text = plan.recipe.model.arch.reads_text();
    let momentum = reading::momentum(plan);
    let (size, bounds, safe) = match plan.recipe.optim.rule {
        Update::SGD { .. } => (lr / (1.0 - momentum), [0.3, 0.3], 0.1 * (1.0 - momentum)),
        _ if text => (lr, [3e-4, 3e-3], 5e-5),
        _ => (lr, [1e-3, 3e-3], 1e-4),
    };
    // what is typed as 1e-3 is used everywhere and still works for small nets: above it, not at it
    if size <= bounds[0] {
        return Vec::new();
    }
    let severity = if size >= bounds[1] { Severity::Error } else { Severity::Warning };
    let safe: f64 = format!("{safe:.1e}").parse().unwrap_or(safe);
    // the head keeps its rate, whether it is a multiple of the base or stands by itself
    let factor = lr / safe;
    let mut patch = BTreeMap::from([("optim.lr".to_owned(), json!(plan.recipe.optim.lr / factor))]);
    for (at, group) in plan.recipe.optim.groups.iter().enumerate() {
        if let Some(scale) = group.lr_scale {
            patch.insert(
                format!("optim.groups[{at}].lr_scale"),
                json!(scale * if scale >= 1.0 { factor.min(10.0) } else { 1.0 }),
            );
        }
    }
    let mut finding = rule
        .finding()
        .at("optim.lr")
        .weigh(severity, if severity == Severity::Error { 0.9 } else { 0.6 })
        .evidence(format!("pretrained weights are trained at a rate of up to {lr:.1e}"))
        .evidence(match plan.recipe.optim.rule {
            Update::SGD { .. } => format!("with momentum {momentum} its effect is that of {size:.2}"),
            _ => format!("Adam moves each weight by about that much at every update; usual is {safe:.0e}"),
        })
        .because(
            "the first updates overwrite what the weights were trained for",
            "the loss on the training samples falls from the first updates on, and does not rise before",
        );
    finding.fix = Some(Fix { summary: format!("a rate of about {safe:.0e}"), patch });
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn bands_are_wide_and_only_for_pretrained_weights() {
        let world = World::default();
        let adam =
            |lr: &str| severity(&RULE, PICTURES, &["optim.type=Adam", &format!("optim.lr={lr}")], &world);
        assert_eq!(adam("0.01"), Some(Severity::Error));
        assert_eq!(adam("0.002"), Some(Severity::Warning));
        assert_eq!(adam("0.001"), None);
        assert_eq!(adam("0.0001"), None);
        assert_eq!(severity(&RULE, PICTURES, &["optim.lr=0.1"], &world), Some(Severity::Error));
        assert_eq!(severity(&RULE, PICTURES, &[], &world), None);
        assert_eq!(
            severity(&RULE, PICTURES, &["optim.type=Adam", "optim.lr=0.01", "model.weights=none"], &world),
            None
        );
        assert_eq!(severity(&RULE, TEXTS, &["optim.lr=5e-4"], &world), Some(Severity::Warning));
        assert_eq!(severity(&RULE, TEXTS, &[], &world), None);
    }

    #[test]
    fn a_fast_head_on_a_slow_or_frozen_backbone_is_fine() {
        let world = World::default();
        let head = ["optim.type=Adam", "optim.lr=0.0001", "optim.groups=[{match=\"fc.*\",lr=0.01}]"];
        assert_eq!(severity(&RULE, PICTURES, &head, &world), None);
        let frozen = ["optim.type=Adam", "optim.lr=0.01", "model.train=[\"fc.*\"]"];
        assert_eq!(severity(&RULE, PICTURES, &frozen, &world), None);
    }
}
