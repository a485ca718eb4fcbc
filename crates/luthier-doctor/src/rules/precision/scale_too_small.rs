//! # PRE001 loss-scale-too-small
//!
//! ## What it finds
//! A run in fp16 whose loss is next to not scaled: the scale begins below 8 and does not grow to it.
//!
//! ## Why it hurts
//! fp16 has no number between 0 and 6e-8. Most gradients of activations are smaller than that, and are 0 without a scale:
//! early layers stay as they are, and the loss falls as far as the last ones take it.
//!
//! ## How it is measured
//! `init_scale`, times `growth_factor` for each `growth_interval` of the run's updates, against 8, the smallest scale that
//! was ever found to be enough.
//!
//! ## Example
//! ```toml
//! [train]
//! precision = "fp16"
//! grad_scaler = { init_scale = 1.0 }
//! ```
//!
//! ## Fix
//! The usual 65536: a scale that is too large costs some updates at the beginning, one that is too small the whole run.
//!
//! ## When it is wrong
//! Where a loss is a sum of thousands, its gradients are as large without a scale.
//!
//! ## Source
//! Micikevicius et al. 2018, Mixed Precision Training: scales from 8 to 32768.

use luthier_plan::ResolvedPrecision;
use luthier_recipe::GradScaler;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "PRE001",
    name: "loss-scale-too-small",
    category: Category::Precision,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("scale_too_small.rs"),
    look,
};

/// A scale that was enough for some.
const ENOUGH: f64 = 8.0;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.precision == ResolvedPrecision::Fp16) else {
        return Vec::new();
    };
    let asked = plan.recipe.train.grad_scaler;
    let grows = plan.length.updates / asked.growth_interval.max(1);
    let highest = asked.init_scale * asked.growth_factor.powf(grows as f64);
    if highest >= ENOUGH {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("train.grad_scaler.init_scale")
        .weigh(Severity::Warning, 0.8)
        .evidence(format!(
            "the loss is multiplied by {}, and by {highest} at the most in the {} updates of the run",
            asked.init_scale, plan.length.updates
        ))
        .because(
            "gradients below 6e-8 are 0 in fp16, and most are",
            "gradient norms of the first layers are those of fp32",
        )
        .fix(
            "GradScaler's scale",
            [("train.grad_scaler.init_scale", json!(GradScaler::default().init_scale))],
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_scale_that_stays_small_is_found_and_one_that_grows_is_not() {
        let rows: [(&[&str], bool); 5] = [
            (&["train.precision=fp16", "train.grad_scaler.init_scale=1"], true),
            // 900 updates
            (
                &[
                    "train.precision=fp16",
                    "train.grad_scaler.init_scale=1",
                    "train.grad_scaler.growth_interval=100",
                ],
                false,
            ),
            (&["train.precision=fp16", "train.grad_scaler.init_scale=1024"], false),
            (&["train.precision=fp16"], false),
            (&["train.precision=bf16"], false),
        ];
        for (sets, expected) in rows {
            let mut subject = Subject::new(CONTRAST, sets, &World::default());
            subject.plan.precision = match sets[0] {
                "train.precision=fp16" => ResolvedPrecision::Fp16,
                _ => ResolvedPrecision::Bf16,
            };
            assert_eq!(!subject.look(&RULE).is_empty(), expected, "{sets:?}");
        }
    }
}
