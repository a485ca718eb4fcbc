//! # DAT004 numbers-not-finite
//!
//! ## What it finds
//! Cells of a table that are empty or not a finite number and go into the network all the same.
//!
//! ## Why it hurts
//! One NaN in a batch makes the loss NaN, the gradient NaN, and after one update every weight.
//!
//! ## How it is measured
//! Counts of the training rows, where `on_error = "keep"` lets such cells in.
//!
//! ## Example
//! ```toml
//! [data]
//! on_error = "keep"
//! ```
//!
//! ## Fix
//! `on_error = "skip"` leaves such rows out and names them.
//!
//! ## When it is wrong
//! Never: NaN spreads through every sum.
//!
//! ## Source
//! A question about a regression on 392 rows with one missing value.

use luthier_plan::FeatureKind;
use luthier_recipe::OnError;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT004",
    name: "numbers-not-finite",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("not_finite.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (OnError::Keep, Some(table)) = (plan.recipe.data.on_error, &plan.table) else { return Vec::new() };
    let features = table.features.iter().filter_map(|feature| match &feature.kind {
        FeatureKind::Numbers { stats, .. } => Some((&feature.name, stats)),
        FeatureKind::Words { .. } => None,
    });
    let targets = table.targets.iter().map(|target| (&target.name, &target.stats));
    let bad = features.chain(targets).filter(|(_, stats)| stats.non_finite > 0);
    let cells: Vec<String> = bad.map(|(name, stats)| format!("{} in `{name}`", stats.non_finite)).collect();
    if cells.is_empty() {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("data.on_error")
        .weigh(Severity::Error, 1.0)
        .evidence(format!("cells of the training rows that are empty or not finite: {}", cells.join(", ")))
        .because(
            "the first batch that holds such a cell turns the loss, and with it every weight, into NaN",
            "the loss stays finite over a whole epoch",
        )
        .fix("leave such rows out", [("data.on_error", json!("skip"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn cells_that_are_let_in_are_found() {
        let holes = column(0.0, 1.0, -3.0, 3.0);
        let world = World { features: vec![ColumnStats { non_finite: 2, ..holes }], ..World::default() };
        let finding = found(&RULE, TABLE, &["data.on_error=keep"], &world);
        assert!(finding.evidence[0].contains("2 in `x0`"), "{:?}", finding.evidence);
        assert_eq!(severity(&RULE, TABLE, &["data.on_error=skip"], &world), None);
        assert_eq!(severity(&RULE, TABLE, &["data.on_error=keep"], &World::default()), None);
    }
    use luthier_plan::ColumnStats;
}
