//! # LAB002 few-samples
//!
//! ## What it finds
//! Classes with fewer than ten training samples.
//!
//! ## Why it hurts
//! A network with random weights learns such samples by heart rather than what they have in common.
//!
//! ## How it is measured
//! Counts of the training samples. It is `info`: small data are a fact, not a fault.
//!
//! ## Example
//! ```toml
//! [data]
//! train = "three-pictures-of-each"
//! ```
//!
//! ## Fix
//! More samples; pretrained weights with most layers frozen; stronger augmentation.
//!
//! ## When it is wrong
//! For rules that are learned whole from all their cases, as XOR is.
//!
//! ## Source
//! Common experience; there is no threshold in theory.

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LAB002",
    name: "few-samples",
    category: Category::Labels,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("few_samples.rs"),
    look,
};

/// Fewer than that and one wrong label is a tenth of the class.
const FEW: u64 = 10;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let counts = reading::counts(plan);
    let few = counts.iter().filter(|count| (1..FEW).contains(*count)).count();
    if few == 0 {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at(plan.recipe.data.source_key())
        .weigh(Severity::Info, 0.5)
        .evidence(format!("{few} of {} classes have fewer than {FEW} training samples", counts.len()))
        .because(
            "so few samples are learned by heart sooner than understood",
            "validation is as good as training",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_handful_is_told_and_no_more() {
        assert_eq!(
            severity(&RULE, TABLE, &[], &World { counts: vec![400, 3], ..World::default() }),
            Some(Severity::Info)
        );
        assert_eq!(severity(&RULE, TABLE, &[], &World::default()), None);
    }
}
