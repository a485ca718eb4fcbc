//! # DAT009 split-overlap
//!
//! ## What it finds
//! Samples that are both in the training and in the validation split.
//!
//! ## Why it hurts
//! Validation then measures how well the model knows by heart what it was shown: it keeps rising, and the first new
//! sample tells otherwise.
//!
//! ## How it is measured
//! Files and rows of the planned splits: the same path below the same folder, or the same row of the same table,
//! told by the table's hash. A warning from the first one, an error when a tenth of the validation is known.
//!
//! ## Example
//! ```toml
//! [data]
//! train = "photos"
//! valid = "photos"
//! ```
//!
//! ## Fix
//! `split = { valid = 0.2 }` instead of `valid`.
//!
//! ## When it is wrong
//! When validation is meant to be the training error, to see whether anything is learned at all.
//!
//! ## Source
//! Deepchecks' TrainTestSamplesMix is the same check over contents; this one knows names and rows alone.

use std::collections::HashSet;

use luthier_plan::SplitPlan;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT009",
    name: "split-overlap",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("split_overlap.rs"),
    look,
};

/// Share of known samples from which the number means something else.
const MANY: f64 = 0.1;

/// Rows of a table that somebody may want to see fitted, and nothing else.
const SMALL: usize = 500;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (Some(train), Some(valid)) = (plan.data.split("train"), plan.data.split("valid")) else {
        return Vec::new();
    };
    let place = |split: &SplitPlan| split.hash.clone().unwrap_or_else(|| split.root.clone());
    if place(train) != place(valid) || valid.samples.is_empty() {
        return Vec::new();
    }
    let known: HashSet<&str> = train.samples.paths().collect();
    let paths = valid.samples.paths().enumerate();
    let shared: Vec<usize> = paths.filter(|(_, path)| known.contains(path)).map(|(at, _)| at).collect();
    let Some(first) = shared.first() else { return Vec::new() };
    let share = shared.len() as f64 / valid.samples.len() as f64;
    let given = plan.recipe.data.valid.is_some();
    // a small table that is named twice, whole, is there to be learned by heart: xor has four rows and no others
    let whole = shared.len() == train.samples.len() && shared.len() == valid.samples.len();
    let meant = given && whole && shared.len() <= SMALL;
    let severity = match (meant, share >= MANY) {
        (true, _) => Severity::Info,
        (false, true) => Severity::Error,
        (false, false) => Severity::Warning,
    };
    let finding = rule
        .finding()
        .at(if given { "data.valid" } else { "data.split" })
        .weigh(severity, 0.97)
        .evidence(format!("{} of {} validation samples are trained on", shared.len(), valid.samples.len()))
        .evidence(format!("the first of them is `{}`", valid.place(*first)))
        .because("validation measures what is known by heart", "samples of the same name or row differ");
    vec![super::held_out(finding, plan)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn samples_in_both_splits_are_found() {
        let leak = World { leak: true, ..World::default() };
        let finding = found(&RULE, TABLE, &[], &leak);
        assert_eq!((finding.severity, finding.place.as_str()), (Severity::Error, "data.valid"));
        assert_eq!(severity(&RULE, PICTURES, &[], &leak), Some(Severity::Error));
        assert_eq!(severity(&RULE, TABLE, &[], &World::default()), None);
        let one = World { leak: true, counts: vec![1, 0], valid: 300, ..World::default() };
        assert_eq!(severity(&RULE, TABLE, &[], &one), Some(Severity::Warning));
    }
}
