//! # CON001 identical-views
//!
//! ## What it finds
//! A contrastive run whose training chain draws nothing: both views of a picture are the same pixels.
//!
//! ## Why it hurts
//! The task is to find a picture's other view among other pictures. Where the other view is the picture itself, any
//! encoder finds it: the instance accuracy goes to 100 % in a few updates, the loss to almost 0, and nothing that a
//! picture shows has to be learned.
//!
//! ## How it is measured
//! `data.transform.train` has no random step, or only steps whose probability is 0. A warning where a sample's class gives
//! it other positives (`sup_con`); a triplet loss has one view.
//!
//! ## Example
//! ```toml
//! task = "contrastive"
//! [data.transform]
//! train = [{ op = "Resize", size = [64, 64] }]
//! ```
//!
//! ## Fix
//! MoCo v2's chain: RandomResizedCrop, ColorJitter, RandomGrayscale, GaussianBlur, RandomHorizontalFlip.
//!
//! ## When it is wrong
//! Never: the two views are the same, bit by bit.
//!
//! ## Source
//! Chen et al. 2020 (SimCLR) on what views have to differ in; reports of an instance accuracy that leaps to 100 %.

use luthier_recipe::Transform;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON001",
    name: "identical-views",
    category: Category::Contrastive,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("same_views.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    // triplets compare pictures of a class, not views of one
    let Some(plan) = facts.plan.filter(|plan| plan.views() > 1) else { return Vec::new() };
    let chain = plan.recipe.data.train_transform();
    if chain.iter().any(draws) {
        return Vec::new();
    }
    let edge = chain
        .iter()
        .rev()
        .find_map(|step| match step {
            Transform::Resize { size } | Transform::CenterCrop { size } => Some(json!(size)),
            _ => None,
        })
        .unwrap_or(json!(224));
    let fixed =
        chain.iter().filter(|step| matches!(step, Transform::Normalize { .. })).map(|step| json!(step));
    let drawn = [
        json!({ "op": "RandomResizedCrop", "size": edge, "scale": [0.2, 1.0] }),
        json!({ "op": "ColorJitter", "brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1, "p": 0.8 }),
        json!({ "op": "RandomGrayscale", "p": 0.2 }),
        json!({ "op": "RandomHorizontalFlip" }),
    ];
    let patch: Vec<_> = drawn.into_iter().chain(fixed).collect();
    // others of a sample's class are work enough
    let severity = if plan.recipe.contrasts_in_batch() { Severity::Warning } else { Severity::Error };
    let finding = rule
        .finding()
        .at("data.transform.train")
        .weigh(severity, 0.99)
        .evidence(format!("none of the {} steps of the chain draws a number", chain.len()))
        .because(
            "both views of a picture are the same pixels, and finding one by the other takes no learning",
            "the two views of one sample differ",
        )
        .fix("draw each view by itself, as MoCo v2 does", [("data.transform.train", json!(patch))]);
    vec![finding]
}

/// Whether a step does something else from view to view.
fn draws(step: &Transform) -> bool {
    match step {
        Transform::RandomResizedCrop { scale, ratio, .. } => scale[0] < 1.0 || ratio[0] < ratio[1],
        Transform::RandomHorizontalFlip { p }
        | Transform::RandomGrayscale { p }
        | Transform::GaussianBlur { p, .. } => *p > 0.0,
        Transform::ColorJitter { brightness, contrast, saturation, hue, p } => {
            *p > 0.0 && brightness + contrast + saturation + hue > 0.0
        }
        Transform::Resize { .. } | Transform::CenterCrop { .. } | Transform::Normalize { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_chain_that_draws_nothing_is_found() {
        let world = World::default();
        let rows = [
            ("[{op=\"Resize\",size=[64,64]}]", Some(Severity::Error)),
            ("[{op=\"Resize\",size=[64,64]},{op=\"RandomHorizontalFlip\",p=0.0}]", Some(Severity::Error)),
            ("[{op=\"Resize\",size=[64,64]},{op=\"RandomHorizontalFlip\"}]", None),
            ("[{op=\"RandomResizedCrop\",size=64}]", None),
        ];
        for (chain, expected) in rows {
            let set = format!("data.transform.train={chain}");
            assert_eq!(severity(&RULE, CONTRAST, &[&set], &world), expected, "{chain}");
        }
        // a class gives other positives, and triplets have one view
        let set = "data.transform.train=[{op=\"Resize\",size=[64,64]}]";
        assert_eq!(severity(&RULE, SUP_CON, &[set], &world), Some(Severity::Warning));
        assert_eq!(severity(&RULE, TRIPLETS, &[set], &world), None);
        // the same chain is no fault where there are labels
        let set = "data.transform.train=[{op=\"Resize\",size=[64,64]}]";
        assert_eq!(severity(&RULE, PICTURES, &[set], &world), None);
    }
}
