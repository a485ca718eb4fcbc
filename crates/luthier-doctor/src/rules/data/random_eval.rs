//! # DAT011 random-eval-transform
//!
//! ## What it finds
//! Random operations in the chain that evaluation uses.
//!
//! ## Why it hurts
//! Validation sees other pictures than the ones in the folder, mostly harder ones: figures are lower than the model's
//! own, and checkpoints are chosen by luck. A trained model is then used on pictures that come another way.
//!
//! ## How it is measured
//! `data.transform.eval`: crops, flips, jitters, greys and blurs that are drawn and not fixed.
//!
//! ## Example
//! ```toml
//! [data.transform]
//! eval = [{ op = "RandomResizedCrop", size = 224 }]
//! ```
//!
//! ## Fix
//! `Resize` and `CenterCrop` in place of the crop, and nothing in place of the others.
//!
//! ## When it is wrong
//! When a model is tested on disturbed pictures on purpose.
//!
//! ## Source
//! torchvision's reference scripts: `Resize(256)`, `CenterCrop(224)` for evaluation.

use luthier_recipe::{Size, Transform};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT011",
    name: "random-eval-transform",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("random_eval.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let data = &plan.recipe.data;
    let chain: &[Transform] = data.eval_transform();
    let drawn: Vec<&str> = chain.iter().filter_map(random).collect();
    if drawn.is_empty() {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("data.transform.eval")
        .weigh(Severity::Warning, 0.9)
        .evidence(format!("`{}` is drawn anew for each picture", drawn.join("`, `")))
        .because(
            "evaluation measures the model on pictures that chance has changed",
            "the figures with a chain without chance are the same",
        );
    let fixed: Vec<Transform> = chain.iter().flat_map(settled).collect();
    vec![finding.fix("a chain without chance", [("data.transform.eval", json!(fixed))])]
}

/// The name of an operation whose result is drawn.
fn random(op: &Transform) -> Option<&'static str> {
    let by_chance = |p: f64| p > 0.0 && p < 1.0;
    match op {
        Transform::RandomResizedCrop { .. } => Some("RandomResizedCrop"),
        Transform::RandomHorizontalFlip { p } if by_chance(*p) => Some("RandomHorizontalFlip"),
        Transform::RandomGrayscale { p } if by_chance(*p) => Some("RandomGrayscale"),
        Transform::ColorJitter { p, .. } if *p > 0.0 => Some("ColorJitter"),
        Transform::GaussianBlur { p, sigma, .. } if *p > 0.0 && (*p < 1.0 || sigma[0] != sigma[1]) => {
            Some("GaussianBlur")
        }
        _ => None,
    }
}

/// What evaluation does in its place: a crop from the middle of a picture a seventh larger, or nothing.
fn settled(op: &Transform) -> Vec<Transform> {
    match op {
        Transform::RandomResizedCrop { size, .. } => {
            let side = match size {
                Size::One(side) => *side,
                Size::Pair([height, width]) => *height.max(width),
            };
            vec![Transform::Resize { size: Size::One(side * 8 / 7) }, Transform::CenterCrop { size: *size }]
        }
        op if random(op).is_some() => Vec::new(),
        op => vec![op.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn chance_in_evaluation_is_found_and_a_fixed_operation_is_not() {
        let world = World::default();
        let with = |ops: &str| {
            let chain = format!("data.transform.eval=[{ops},{{op=\"CenterCrop\",size=224}}]");
            severity(&RULE, PICTURES, &[&chain], &world)
        };
        assert_eq!(with("{op=\"RandomResizedCrop\",size=224}"), Some(Severity::Warning));
        assert_eq!(with("{op=\"RandomHorizontalFlip\"}"), Some(Severity::Warning));
        assert_eq!(with("{op=\"RandomHorizontalFlip\",p=1.0}"), None, "always the same");
        assert_eq!(with("{op=\"Resize\",size=256}"), None);
        assert_eq!(severity(&RULE, PICTURES, &[], &world), None);
    }
}
