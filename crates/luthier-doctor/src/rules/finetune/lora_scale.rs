//! # FIN006 lora-scale
//!
//! ## What it finds
//! A LoRA whose scale and learning rate together move the model by leaps, or hardly at all.
//!
//! ## Why it hurts
//! A layer gives W x + s B A x, and with Adam every number of B moves by about the learning rate at each update: the model
//! moves by s times the rate. Too much of it throws away what the weights knew (a noisy training loss beside a validation
//! loss that stays where it is), too little of it and B never leaves zero.
//!
//! ## How it is measured
//! s is alpha / r, or alpha / √r with `use_rslora`. With an optimizer that divides by the gradient's size: s times the
//! highest rate of the run, above 0.008; or s times the sum of all rates, below 0.001. Pretrained weights only.
//!
//! ## Example
//! ```toml
//! [model]
//! weights = "vit"
//! lora = { r = 20, alpha = 20.0 }
//! [optim]
//! type = "Adam"
//! lr = 0.01
//! ```
//!
//! ## Fix
//! A rate of about 0.001 / s. A change of `alpha` does the same to the model and leaves the head's rate alone.
//!
//! ## When it is wrong
//! For very large batches, which bear higher rates.
//!
//! ## Source
//! Hu et al. 2021, section 4.1, on tuning alpha as the learning rate is tuned; PEFT's recipes use s times rates from 0.0002
//! to 0.005.

use luthier_plan::{Plan, of_lora};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity, history, reading};

/// s times the rate above which a pretrained model leaps: the highest that PEFT's examples use is 0.005.
const LEAP: f64 = 0.008;
/// s times the sum of rates below which B stays about zero.
const STILL: f64 = 0.001;
/// What a usual LoRA comes to.
const USUAL: f64 = 0.001;

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN006",
    name: "lora-scale",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("lora_scale.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (Some(lora), Some(rate)) = (&plan.model.lora, rate(plan)) else { return Vec::new() };
    if !reading::pretrained(plan) || !reading::adaptive(plan) {
        return Vec::new();
    }
    let scale = lora.scale();
    let highest = scale * reading::peak(plan, rate);
    let sum: f64 =
        if plan.lr_factors.is_empty() { plan.length.updates as f64 } else { plan.lr_factors.iter().sum() };
    let budget = scale * rate * sum;
    let told = format!("alpha {} and rank {} make a scale of {scale:.3}", lora.alpha, lora.r);
    let finding = if highest > LEAP {
        rule.finding()
            .weigh(Severity::Warning, 0.8)
            .evidence(told)
            .evidence(format!(
                "times the highest rate that is {highest:.1e} an update; usual are up to 0.005"
            ))
            .because(
                "each update moves the adapted layers so far that what the weights knew is lost",
                "a run with a tenth of the rate does no better on the validation split",
            )
    } else if budget < STILL {
        rule.finding()
            .weigh(Severity::Warning, 0.8)
            .evidence(told)
            .evidence(format!("times all rates of the run that is {budget:.1e}, and B starts at zero"))
            .because(
                "B stays so near to zero that the adapted layers give what they gave",
                "a run with ten times the rate does no better",
            )
    } else {
        return Vec::new();
    };
    let lr = plan.recipe.optim.lr * USUAL / (scale * rate);
    vec![
        finding
            .at("optim.lr")
            .fix("a rate that goes with the scale", [("optim.lr", json!(history::short(lr)))]),
    ]
}

/// Highest base rate of a matrix of LoRA.
fn rate(plan: &Plan) -> Option<f64> {
    let matrices = plan.model.tensors.iter().filter(|tensor| of_lora(&tensor.name));
    let groups = matrices.filter_map(|tensor| plan.groups.get(tensor.group?));
    groups.map(|group| group.lr).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn the_rate_goes_with_the_scale() {
        let world = World::default();
        let told = |sets: &[&str]| severity(&RULE, TEXTS, sets, &world);
        let lora = |alpha: &str| format!("model.lora={{ r = 20, alpha = {alpha} }}");
        let (twenty, forty) = (lora("20.0"), lora("40.0"));
        // a user's own settings
        let adam = "optim.type=Adam";
        assert_eq!(told(&[&twenty, adam, "optim.lr=0.01"]), Some(Severity::Warning));
        assert_eq!(told(&[&lora("400.0"), "optim.lr=0.001"]), Some(Severity::Warning));
        assert_eq!(told(&[&lora("0.01"), "optim.lr=1e-4"]), Some(Severity::Warning));
        // what PEFT's examples and most papers use
        for rate in ["optim.lr=0.005", "optim.lr=0.001", "optim.lr=2e-4", "optim.lr=1e-4"] {
            assert_eq!(told(&[&twenty, rate]), None, "{rate}");
        }
        assert_eq!(told(&[&forty, "optim.lr=0.002"]), None);
        // without LoRA other rules speak, and SGD's steps are of the gradient's size
        assert_eq!(told(&["optim.lr=0.01"]), None);
        assert_eq!(told(&[&twenty, "optim={ type = \"SGD\", lr = 0.5 }"]), None);
    }

    #[test]
    fn the_cure_is_a_rate() {
        let sets = ["model.lora={ r = 20, alpha = 40.0 }", "optim.lr=0.05"];
        let found = found(&RULE, TEXTS, &sets, &World::default());
        assert_eq!(found.fix.as_ref().unwrap().patch["optim.lr"], 0.0005);
    }
}
