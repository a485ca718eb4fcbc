//! # DAT207 no-augmentation
//!
//! ## What it finds
//! Random transforms that change nothing: two epochs see the very same samples.
//!
//! ## Why it hurts
//! The recipe counts on augmentation against over-fitting, and gets none. A cache behind the transforms or
//! one seed for all epochs does that.
//!
//! ## How it is measured
//! The same samples in the first and second epoch: mean absolute difference of the numbers. Exactly 0
//! although the chain holds a transform that changes every sample.
//!
//! ## Example
//! ```toml
//! [[data.transform.train]]
//! op = "RandomResizedCrop"
//! size = 224
//! ```
//!
//! ## Fix
//! Draw transforms anew in each epoch.
//!
//! ## When it is wrong
//! When all its ranges are empty, as `scale = [1.0, 1.0]` on square pictures.
//!
//! ## Source
//! pytorch/pytorch issue 5059: NumPy's generator repeats in every worker and epoch.

use luthier_recipe::Transform;

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "DAT207",
    "no-augmentation",
    Category::Data,
    include_str!("no_augmentation.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    view.probes.views.filter(|apart| *apart == 0.0)?;
    // a flip of eight samples may come out the same twice; a crop or a change of colours does not
    let always = |transform: &Transform| match transform {
        Transform::RandomResizedCrop { scale, .. } => scale[0] < scale[1],
        Transform::ColorJitter { brightness, contrast, p, .. } => *p > 0.5 && brightness + contrast > 0.05,
        Transform::GaussianBlur { sigma, p, .. } => *p > 0.5 && sigma[0] < sigma[1],
        _ => false,
    };
    view.recipe()?.data.train_transform().iter().any(always).then(|| {
        rule.finding()
            .at("data.transform.train")
            .weigh(Severity::Warning, 0.9)
            .evidence("the same samples are equal to the last bit in the first and second epoch")
            .because(
                "the random transforms of the recipe draw the same each time, so that there is no augmentation",
                "pictures of two epochs differ",
            )
    })
}
