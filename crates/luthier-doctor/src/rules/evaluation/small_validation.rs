//! # EVA002 validation-small
//!
//! ## What it finds
//! A validation split so small that its numbers are mostly chance.
//!
//! ## Why it hurts
//! The share of right answers over n samples is off by about 0.5/√n: by sixteen points for ten. The best checkpoint
//! is then a lucky one.
//!
//! ## How it is measured
//! Samples of the validation split: below 50 it is told, with the error of a share.
//!
//! ## Example
//! ```toml
//! [data]
//! split = { valid = 0.02 }   # of 400
//! ```
//!
//! ## Fix
//! A larger share; cross-validation by `split.fold`.
//!
//! ## When it is wrong
//! It is `info`: small data are a fact.
//!
//! ## Source
//! Standard error of a share: √(p (1 − p) / n).

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "EVA002",
    name: "validation-small",
    category: Category::Evaluation,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("small_validation.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let valid = reading::samples(plan, "valid");
    if valid == 0 || valid >= 50 {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at(if plan.recipe.data.split.is_some() { "data.split.valid" } else { "data.valid" })
        .weigh(Severity::Info, 0.8)
        .evidence(format!(
            "a share of {valid} samples is off by about {:.0} points by chance",
            50.0 / (valid as f64).sqrt()
        ))
        .because("differences between epochs or runs are mostly chance", "several folds agree");
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn few_are_told() {
        assert_eq!(
            severity(&RULE, TABLE, &[], &World { valid: 10, ..World::default() }),
            Some(Severity::Info)
        );
        assert_eq!(severity(&RULE, TABLE, &[], &World::default()), None);
    }
}
