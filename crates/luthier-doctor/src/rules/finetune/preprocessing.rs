//! # FIN005 preprocessing-differs
//!
//! ## What it finds
//! Pictures that are normalised otherwise than those the weights were trained on.
//!
//! ## Why it hurts
//! The first layer's weights are made for pictures of a certain mean and contrast. With others all that follows is
//! shifted: accuracy falls by one to twenty points, and much of the fine-tuning goes into making up for it.
//!
//! ## How it is measured
//! The chain's constants beside those of the published weights: (127, 128)/255 for EfficientNet-Lite0, ImageNet's
//! for torchvision's ResNets. A warning from a tenth of a deviation in the mean or a tenth of the contrast, an
//! error where they do not normalise at all.
//!
//! ## Example
//! ```toml
//! [model]
//! arch = "resnet18"
//! weights = "resnet18.pth"
//! [data.transform]
//! train = [{ op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }]
//! ```
//!
//! ## Fix
//! The published constants in both chains.
//!
//! ## When it is wrong
//! When the weights are your own, trained with other constants.
//!
//! ## Source
//! The model cards of the two packages.

use luthier_recipe::{Arch, Transform};
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Fix, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN005",
    name: "preprocessing-differs",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("preprocessing.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| reading::pretrained(plan)) else { return Vec::new() };
    let Some(wanted) = wanted(plan.recipe.model.arch) else { return Vec::new() };
    let Some(transform) = &plan.recipe.data.transform else { return Vec::new() };
    let chains = [("train", &transform.train), ("eval", &transform.eval)];
    let off = |chain: &[Transform]| {
        let Some((_, mean, std)) = reading::normalize(chain) else { return f64::INFINITY };
        let channel = |c: usize| {
            let shift = (f64::from(mean[c]) - wanted[0][c]).abs() / wanted[1][c];
            shift.max((f64::from(std[c]) / wanted[1][c]).ln().abs())
        };
        (0..3).map(channel).fold(0.0, f64::max)
    };
    let Some((split, chain)) = chains.into_iter().find(|(_, chain)| off(chain) > 0.1) else {
        return Vec::new();
    };
    let far = off(chain);
    let ours = match reading::normalize(chain) {
        Some((_, mean, std)) => format!("`data.transform.{split}` has mean {mean:?} and std {std:?}"),
        None => format!("`data.transform.{split}` does not normalise"),
    };
    let mut finding = rule
        .finding()
        .at(format!("data.transform.{split}"))
        .weigh(if far.is_finite() { Severity::Warning } else { Severity::Error }, 0.8)
        .evidence(ours)
        .evidence(format!("the published weights want mean {:?} and std {:?}", wanted[0], wanted[1]))
        .because(
            "the first layer was trained on pictures of another mean and contrast",
            "the weights come from a training with these very constants",
        );
    let normal = json!({ "op": "Normalize", "mean": wanted[0], "std": wanted[1] });
    let patch = chains.into_iter().map(|(split, chain)| {
        let end = reading::normalize(chain).map_or(chain.len(), |(index, ..)| index);
        let mut steps: Vec<_> =
            chain[..end].iter().filter_map(|step| serde_json::to_value(step).ok()).collect();
        steps.push(normal.clone());
        (format!("data.transform.{split}"), json!(steps))
    });
    finding.fix = Some(Fix { summary: "normalise as the weights want it".into(), patch: patch.collect() });
    vec![finding]
}

/// Mean and deviation of the published weights; `None` where there is no one kind of them.
fn wanted(arch: Arch) -> Option<[[f64; 3]; 2]> {
    match arch {
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 => {
            Some([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        }
        // (127, 128) / 255
        Arch::EfficientnetLite0 => Some([[0.498; 3], [0.502; 3]]),
        Arch::Gpt2 | Arch::Bert | Arch::Vit | Arch::Sequential => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn constants_must_be_those_of_the_weights() {
        let world = World::default();
        assert_eq!(severity(&RULE, PICTURES, &[], &world), None);
        let lite = ["model.arch=efficientnet-lite0"];
        assert_eq!(severity(&RULE, PICTURES, &lite, &world), Some(Severity::Warning));
        let half = "[{op=\"Normalize\",mean=[0.5,0.5,0.5],std=[0.5,0.5,0.5]}]";
        let halves = [format!("data.transform.train={half}"), format!("data.transform.eval={half}")];
        let with = |arch: &str| {
            let arch = format!("model.arch={arch}");
            severity(&RULE, PICTURES, &[&halves[0], &halves[1], &arch], &world)
        };
        assert_eq!(with("resnet18"), Some(Severity::Warning));
        assert_eq!(with("efficientnet-lite0"), None, "a hair apart");
        let none = ["data.transform.train=[]", "data.transform.eval=[]"];
        assert_eq!(severity(&RULE, PICTURES, &none, &world), Some(Severity::Error));
        assert_eq!(severity(&RULE, PICTURES, &[none[0], none[1], "model.weights=none"], &world), None);
    }
}
