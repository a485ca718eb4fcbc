//! # DAT007 sorted
//!
//! ## What it finds
//! Training samples that lie class by class and are not shuffled.
//!
//! ## Why it hurts
//! Each batch shows one class alone. The model learns to answer it, then the next; BatchNorm's statistics swing
//! with it.
//!
//! ## How it is measured
//! Runs of equal labels in the order of the training samples, without `shuffle`: longer than five times what chance
//! would give, and longer than a batch.
//!
//! ## Example
//! ```toml
//! [train]
//! shuffle = false
//! ```
//!
//! ## Fix
//! `shuffle = true`.
//!
//! ## When it is wrong
//! When the order is a curriculum on purpose.
//!
//! ## Source
//! The mean run of a random order of C even classes is C / (C − 1) samples long.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT007",
    name: "sorted",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("sorted.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !plan.recipe.train.shuffle) else { return Vec::new() };
    let Some(train) = plan.data.split("train").filter(|_| plan.data.classes.len() > 1) else {
        return Vec::new();
    };
    let labels = train.samples.labels();
    let n = labels.len() as f64;
    let runs = 1 + labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let same: f64 = reading::counts(plan).iter().map(|count| (*count as f64 / n).powi(2)).sum();
    let (mean, chance) = (n / runs as f64, 1.0 / (1.0 - same).max(1e-9));
    let batch = plan.length.effective_batch as f64;
    if n < 2.0 || mean < 5.0 * chance || mean < batch {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("train.shuffle")
        .weigh(Severity::Error, 0.95)
        .evidence(format!(
            "{mean:.0} samples of one class follow each other on average; chance gives {chance:.1}"
        ))
        .evidence(format!("an update sees {batch} samples"))
        .because(
            "most updates see one class alone, and each teaches the model to forget the others",
            "batches hold samples of all classes",
        )
        .fix("draw the samples in a new order each epoch", [("train.shuffle", json!(true))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn sorted_labels_hurt_only_without_shuffling() {
        let sorted = World { sorted: true, ..World::default() };
        assert_eq!(severity(&RULE, TABLE, &["train.shuffle=false"], &sorted), Some(Severity::Error));
        assert_eq!(severity(&RULE, TABLE, &[], &sorted), None);
        assert_eq!(severity(&RULE, TABLE, &["train.shuffle=false"], &World::default()), None);
        // one batch that holds them all
        assert_eq!(severity(&RULE, TABLE, &["train.shuffle=false", "train.batch_size=1200"], &sorted), None);
    }
}
