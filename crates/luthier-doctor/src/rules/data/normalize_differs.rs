//! # DAT006 normalize-differs
//!
//! ## What it finds
//! Training and evaluation normalise pictures with different constants, or only one of them does.
//!
//! ## Why it hurts
//! The model is evaluated on pictures that are darker or of another contrast than all it has seen. Training looks
//! fine and validation does not.
//!
//! ## How it is measured
//! The two `Normalize` steps of the recipe; a difference of a tenth of a deviation counts.
//!
//! ## Example
//! ```toml
//! [data.transform]
//! train = [{ op = "Resize", size = 224 }, { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }]
//! eval = [{ op = "Resize", size = 224 }]
//! ```
//!
//! ## Fix
//! The same step in both.
//!
//! ## When it is wrong
//! When the two sets were taken with different cameras and each has its own constants.
//!
//! ## Source
//! torchvision's training references use one pair of constants for both.

use luthier_recipe::Transform;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT006",
    name: "normalize-differs",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("normalize_differs.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(transform) = facts.plan.and_then(|plan| plan.recipe.data.transform.as_ref()) else {
        return Vec::new();
    };
    let train = reading::normalize(&transform.train);
    let eval = reading::normalize(&transform.eval);
    // no step is the step that does nothing
    let constants =
        |step: Option<(usize, [f32; 3], [f32; 3])>| step.map_or(([0.0; 3], [1.0; 3]), |(_, m, s)| (m, s));
    let ((mean, std), (eval_mean, eval_std)) = (constants(train), constants(eval));
    let differs = (0..3).any(|c| {
        (mean[c] - eval_mean[c]).abs() / std[c] > 0.1 || !(0.9..1.1).contains(&(std[c] / eval_std[c]))
    });
    if !differs {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("data.transform.eval")
        .weigh(Severity::Error, 0.93)
        .evidence(format!("training: mean {mean:?}, std {std:?}"))
        .evidence(format!("evaluation: mean {eval_mean:?}, std {eval_std:?}"))
        .because(
            "evaluation shows the model pictures of another brightness and contrast than training does",
            "mean and deviation of a training batch and an evaluation batch are alike",
        );
    let Some((_, mean, std)) = train else { return vec![finding] };
    let mut chain = transform.eval.clone();
    if let Some((index, ..)) = eval {
        chain.truncate(index);
    }
    chain.push(Transform::Normalize { mean, std });
    let chain = serde_json::to_value(chain).unwrap_or_default();
    vec![finding.fix("normalise evaluation as training", [("data.transform.eval", chain)])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn evaluation_must_normalise_as_training_does() {
        let world = World::default();
        let other = "data.transform.eval=[{op=\"Normalize\",mean=[0.5,0.5,0.5],std=[0.5,0.5,0.5]}]";
        assert_eq!(severity(&RULE, PICTURES, &[other], &world), Some(Severity::Error));
        let none = "data.transform.eval=[{op=\"Resize\",size=224}]";
        assert_eq!(severity(&RULE, PICTURES, &[none], &world), Some(Severity::Error));
        let neither = [none, "data.transform.train=[{op=\"Resize\",size=224}]"];
        assert_eq!(severity(&RULE, PICTURES, &neither, &world), None);
        let rounded = "data.transform.eval=[{op=\"Normalize\",mean=[0.49,0.46,0.41],std=[0.23,0.22,0.22]}]";
        assert_eq!(severity(&RULE, PICTURES, &[rounded], &world), None);
        assert_eq!(severity(&RULE, PICTURES, &[], &world), None);
    }
}
