//! # DAT003 constant-column
//!
//! ## What it finds
//! A column of the table that is the same in every training row: a feature without information, or a target.
//!
//! ## Why it hurts
//! A constant feature is a second bias and does nothing; a constant target leaves nothing to learn.
//!
//! ## How it is measured
//! Standard deviation of the training rows.
//!
//! ## Example
//! ```toml
//! [data]
//! features = ["year", "size"]   # every row says 2024
//! ```
//!
//! ## Fix
//! Leave the feature out, or look at what the file holds.
//!
//! ## When it is wrong
//! When later data will vary in it; the network can't have learned from it all the same.
//!
//! ## Source
//! Arithmetic.

use luthier_plan::FeatureKind;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT003",
    name: "constant-column",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("constant_column.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(table) = facts.plan.and_then(|plan| plan.table.as_ref()) else { return Vec::new() };
    let mut findings = Vec::new();
    let features = table.features.iter().filter(|feature| match &feature.kind {
        FeatureKind::Numbers { stats, .. } => stats.count > 1 && stats.std == 0.0,
        FeatureKind::Words { words, .. } => words.len() == 1,
    });
    let names: Vec<&str> = features.map(|feature| feature.name.as_str()).collect();
    if !names.is_empty() {
        let all = names.len() == table.features.len();
        let finding = rule
            .finding()
            .at("data.features")
            .weigh(if all { Severity::Error } else { Severity::Info }, 0.99)
            .evidence(format!("`{}`: the same in every training row", names.join("`, `")))
            .because(
                "a column that does not vary tells no sample from another",
                "it varies in rows that were left out",
            );
        findings.push(finding);
    }
    for target in table.targets.iter().filter(|target| target.stats.count > 1 && target.stats.std == 0.0) {
        let finding = rule
            .finding()
            .at("data.target")
            .weigh(Severity::Error, 0.99)
            .evidence(format!("`{}` is {} in every training row", target.name, target.stats.min))
            .because("there is nothing to learn about a target that does not vary", "it varies in the file");
        findings.push(finding);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_constant_feature_is_info_and_a_constant_target_an_error() {
        let still = column(5.0, 0.0, 5.0, 5.0);
        let feature = World { features: vec![still, column(0.0, 1.0, -3.0, 3.0)], ..World::default() };
        assert_eq!(severity(&RULE, TABLE, &[], &feature), Some(Severity::Info));
        let nothing = World { features: vec![still, still], ..World::default() };
        assert_eq!(severity(&RULE, TABLE, &[], &nothing), Some(Severity::Error));
        let target = World { targets: vec![still], ..World::default() };
        assert_eq!(severity(&RULE, NUMBERS, &[], &target), Some(Severity::Error));
        assert_eq!(severity(&RULE, NUMBERS, &[], &World::default()), None);
    }
}
