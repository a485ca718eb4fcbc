//! # CON003 temperature-too-small
//!
//! ## What it finds
//! A temperature so small that what half precision rounds off of a similarity decides which candidate is the right one.
//!
//! ## Why it hurts
//! Similarities are at most 1 and are divided by the temperature. bf16 keeps eight bits: neighbours of 1 are 0.004 apart,
//! and at a temperature of 0.01 that is 0.4 in a logit. The gradient grows as 1 / temperature, too, so that single
//! hard negatives throw the weights about. Code that takes exponentials without subtracting the largest overflows: in fp16
//! exp(1 / 0.07) is too much already. Here the division and the sum of exponentials are made in fp32, so that the loss
//! stays a number; but on its way back into the encoder the gradient is fp16 again, which ends at 65504.
//!
//! ## How it is measured
//! A warning where the format's step near 1, divided by the temperature, is 0.2 or more, an error from 0.8 on: in bf16
//! below 0.02 and 0.005, in fp16 below 0.0025 and 0.0006. In every format a warning below 0.01, where one over the
//! temperature makes every gradient a hundred times as long.
//!
//! ## Example
//! ```toml
//! [contrastive]
//! temperature = 0.004
//! [train]
//! precision = "bf16"
//! ```
//!
//! ## Fix
//! A temperature of 0.07 to 0.5; 0.2 is MoCo v2's.
//!
//! ## When it is wrong
//! Where the temperature is small on purpose and the loss falls: hard negatives are what it looks for.
//!
//! ## Source
//! Chen et al. 2020 (both); half precision as IEEE 754 and bfloat16 define it.

use luthier_recipe::ContrastiveLoss;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON003",
    name: "temperature-too-small",
    category: Category::Contrastive,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("temperature.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(asked) = &plan.recipe.contrastive else { return Vec::new() };
    let triplets = plan.recipe.contrasts().iter().all(|loss| *loss == ContrastiveLoss::Triplet);
    if triplets {
        return Vec::new();
    }
    let at = asked.temperature();
    let one = plan.precision.step_below_one();
    let step = one / at;
    let (severity, evidence) = if step >= 0.195 {
        let format = plan.precision.words().split(' ').next().unwrap_or_default();
        let severity = if step >= 0.78 { Severity::Error } else { Severity::Warning };
        (
            severity,
            format!("a step of {format} near 1 is {one:.1e}, and {step:.2} after the division by {at}"),
        )
    } else if at < 0.01 {
        (Severity::Warning, format!("gradients are divided by {at}: {:.0} times as long", 1.0 / at))
    } else {
        return Vec::new();
    };
    let finding = rule
        .finding()
        .at("contrastive.temperature")
        .weigh(severity, 0.8)
        .evidence(evidence)
        .because(
            "rounding and single hard negatives decide the loss, not what pictures have in common",
            "the instance accuracy rises steadily and the norm of the gradient stays where it began",
        )
        .fix("MoCo v2's temperature", [("contrastive.temperature", json!(0.2))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use luthier_plan::ResolvedPrecision;

    use super::*;
    use crate::testing::*;

    #[test]
    fn a_temperature_is_held_against_what_the_precision_can_tell_apart() {
        let rows = [
            (ResolvedPrecision::Bf16, "0.004", Some(Severity::Error)),
            (ResolvedPrecision::Bf16, "0.01", Some(Severity::Warning)),
            (ResolvedPrecision::Bf16, "0.05", None),
            (ResolvedPrecision::Fp32, "0.004", Some(Severity::Warning)),
            (ResolvedPrecision::Fp32, "0.02", None),
            (ResolvedPrecision::Bf16, "0.2", None),
            (ResolvedPrecision::Fp16, "0.0005", Some(Severity::Error)),
            (ResolvedPrecision::Fp16, "0.002", Some(Severity::Warning)),
            (ResolvedPrecision::Fp16, "0.02", None),
        ];
        for (precision, at, expected) in rows {
            let set = format!("contrastive.temperature={at}");
            let mut subject = Subject::new(CONTRAST, &[&set], &World::default());
            subject.plan.precision = precision;
            let found = subject.look(&RULE);
            assert_eq!(found.first().map(|finding| finding.severity), expected, "{precision:?} {at}");
        }
    }
}
