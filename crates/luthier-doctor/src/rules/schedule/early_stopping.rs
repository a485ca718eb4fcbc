//! # SCH005 early-stopping-eager
//!
//! ## What it finds
//! Early stopping that forgives no or one evaluation, judged by few validation samples.
//!
//! ## Why it hurts
//! One evaluation over n samples is off by about 0.5/√n. With 200 samples that is three points of accuracy up or
//! down by chance: a run that still improves is stopped by the first bad draw.
//!
//! ## How it is measured
//! `patience` of at most 1, and fewer than 1000 validation samples or evaluations more often than each epoch.
//!
//! ## Example
//! ```toml
//! [train]
//! early_stopping = { patience = 1 }   # 200 validation samples
//! ```
//!
//! ## Fix
//! `patience = 5`, or more validation samples.
//!
//! ## When it is wrong
//! When each evaluation comes after long training, so that true changes are larger than chance.
//!
//! ## Source
//! Standard error of a share: √(p (1 − p) / n).

use luthier_recipe::Every;
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "SCH005",
    name: "early-stopping-eager",
    category: Category::Schedule,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("early_stopping.rs"),
    look,
};

const ENOUGH: u64 = 1000;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(stop) = plan.recipe.train.early_stopping.filter(|stop| stop.patience <= 1) else {
        return Vec::new();
    };
    let valid = reading::samples(plan, "valid");
    let often =
        matches!(plan.recipe.eval.every, Every::Steps(steps) if steps < plan.length.updates_per_epoch);
    if valid == 0 || (valid >= ENOUGH && !often) {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("train.early_stopping.patience")
        .weigh(Severity::Warning, 0.75)
        .evidence(format!("the run stops after {} evaluations without improvement", stop.patience + 1))
        .evidence(format!(
            "shares of {valid} validation samples are off by up to {:.1} points by chance",
            100.0 / (valid as f64).sqrt()
        ))
        .because(
            "chance stops the run while it still improves",
            "no evaluation after the stop would have been better",
        )
        .fix("forgive five", [("train.early_stopping.patience", json!(5))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn impatience_with_few_samples_is_found() {
        let with = |patience: u64, valid: u64| {
            let world = World { valid, ..World::default() };
            severity(&RULE, TABLE, &[&format!("train.early_stopping={{patience={patience}}}")], &world)
        };
        assert_eq!(with(1, 200), Some(Severity::Warning));
        assert_eq!(with(0, 200), Some(Severity::Warning));
        assert_eq!(with(3, 200), None);
        assert_eq!(with(1, 5000), None);
        assert_eq!(severity(&RULE, TABLE, &[], &World::default()), None);
    }
}
