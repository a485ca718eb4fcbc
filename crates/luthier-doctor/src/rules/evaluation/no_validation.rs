//! # EVA001 no-validation
//!
//! ## What it finds
//! A run without validation samples.
//!
//! ## Why it hurts
//! Nothing tells learning from learning by heart, and the best checkpoint is the last one.
//!
//! ## How it is measured
//! The planned splits.
//!
//! ## Example
//! ```toml
//! [data]
//! train = "photos"
//! ```
//!
//! ## Fix
//! `split = { valid = 0.2 }`.
//!
//! ## When it is wrong
//! When every sample there is has to be learned, as for XOR. It is `info`.
//!
//! ## Source
//! Common practice.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "EVA001",
    name: "no-validation",
    category: Category::Evaluation,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("no_validation.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| reading::samples(plan, "valid") == 0) else {
        return Vec::new();
    };
    let finding = rule
        .finding()
        .at("data.split")
        .weigh(Severity::Info, 0.9)
        .evidence("there are no validation samples")
        .because("nothing will tell learning from learning by heart", "the run is judged elsewhere");
    // of a handful nothing is left to hold out
    let enough = reading::samples(plan, "train") >= 20
        && plan.recipe.data.split.is_none()
        && plan.recipe.data.valid.is_none();
    vec![if enough {
        finding.fix("hold out a fifth", [("data.split", json!({ "valid": 0.2 }))])
    } else {
        finding
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn it_is_told_and_no_more() {
        let world = World::default();
        let text = TABLE.replace("valid = \"v.csv\"\n", "");
        assert_eq!(severity(&RULE, &text, &[], &world), Some(Severity::Info));
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
    }
}
