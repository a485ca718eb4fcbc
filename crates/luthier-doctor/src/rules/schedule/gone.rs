//! # SCH004 rate-gone
//!
//! ## What it finds
//! A learning rate that is below a thousandth of its peak for more than half of the run.
//!
//! ## Why it hurts
//! Updates of that size change nothing that can be measured: the run is over long before it ends.
//!
//! ## How it is measured
//! The planned rates, whatever curve they come from.
//!
//! ## Example
//! ```toml
//! [schedule]
//! type = "ExponentialLR"
//! unit = "epoch"
//! gamma = 0.5        # of 50 epochs
//! ```
//!
//! ## Fix
//! A gamma that brings the rate to a hundredth at the end; a cosine over the run.
//!
//! ## When it is wrong
//! When the peak is far above what the run needs, as in a sweep of rates.
//!
//! ## Source
//! The budget of a run is the sum of its rates.

use luthier_recipe::{Curve, Unit};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "SCH004",
    name: "rate-gone",
    category: Category::Schedule,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("gone.rs"),
    look,
};

const GONE: f64 = 1e-3;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let factors = &plan.lr_factors;
    let peak = factors.iter().copied().fold(0.0, f64::max);
    let top = factors.iter().position(|factor| *factor == peak).unwrap_or(0);
    let gone = factors.iter().skip(top).filter(|factor| **factor < GONE * peak).count();
    let share = gone as f64 / factors.len().max(1) as f64;
    if share <= 0.5 || factors.len() < 10 {
        return Vec::new();
    }
    let schedule = &plan.recipe.schedule;
    let whole = match schedule.unit {
        Unit::Epoch => plan.length.epochs,
        Unit::Step => plan.length.updates,
    };
    let finding = rule
        .finding()
        .at("schedule.type")
        .weigh(Severity::Error, 0.9)
        .evidence(format!(
            "{:.0} % of all updates have less than a thousandth of the highest rate",
            100.0 * share
        ))
        .evidence(format!(
            "the rates of {} updates sum to {:.1} times the highest",
            factors.len(),
            factors.iter().sum::<f64>() / peak
        ))
        .because("the rate is gone for most of the run", "the loss still falls in the second half");
    // a hundredth at the end
    let gamma = |drops: f64| ((0.01_f64).powf(1.0 / drops.max(1.0)) * 1e4).round() / 1e4;
    vec![match &schedule.curve {
        Curve::ExponentialLR { .. } => {
            finding.fix("a hundredth at the end", [("schedule.gamma", json!(gamma(whole as f64)))])
        }
        Curve::StepLR { step_size, .. } => {
            let drops = whole as f64 / *step_size as f64;
            finding.fix("a hundredth at the end", [("schedule.gamma", json!(gamma(drops)))])
        }
        Curve::MultiStepLR { milestones, .. } => {
            let drops = gamma(milestones.len() as f64);
            finding.fix("a hundredth at the end", [("schedule.gamma", json!(drops))])
        }
        Curve::CosineAnnealingLR { t_max: Some(_), .. } => {
            finding.fix("as long as the run", [("schedule.t_max", json!(null))])
        }
        Curve::LinearLR { total_iters: Some(_), .. } => {
            finding.fix("as long as the run", [("schedule.total_iters", json!(null))])
        }
        _ => finding,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn curves_that_end_early_are_found() {
        let world = World::default();
        let with = |curve: &str| {
            severity(&RULE, TABLE, &["train.epochs=40", &format!("schedule={{{curve}}}")], &world)
        };
        assert_eq!(with("type=\"ExponentialLR\",unit=\"epoch\",gamma=0.5"), Some(Severity::Error));
        assert_eq!(with("type=\"StepLR\",unit=\"step\",step_size=3,gamma=0.5"), Some(Severity::Error));
        assert_eq!(
            with("type=\"LinearLR\",unit=\"epoch\",start_factor=1.0,end_factor=0.0,total_iters=5"),
            Some(Severity::Error)
        );
        assert_eq!(with("type=\"StepLR\",unit=\"epoch\",step_size=15,gamma=0.1"), None);
        assert_eq!(with("type=\"CosineAnnealingLR\",unit=\"step\""), None);
        assert_eq!(with("type=\"OneCycleLR\",unit=\"step\""), None);
        assert_eq!(with("type=\"constant\",unit=\"step\",warmup={steps=300,start=0.0}"), None);
    }
}
