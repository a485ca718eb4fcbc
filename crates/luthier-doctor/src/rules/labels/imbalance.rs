//! # LAB001 imbalance
//!
//! ## What it finds
//! Classes that differ in size by more than ten to one, judged by accuracy.
//!
//! ## Why it hurts
//! Always answering the largest class is right most of the time: accuracy looks good while nothing is learned about
//! the others.
//!
//! ## How it is measured
//! Counts of the training samples; `eval.metric`, class weights and balancing are looked at. A class that has no
//! training sample at all is an error.
//!
//! ## Example
//! ```toml
//! [eval]
//! metric = "accuracy"   # the data are 95 % one class
//! ```
//!
//! ## Fix
//! `class_weights = "balanced"`, or `balance`.
//!
//! ## When it is wrong
//! When the rare classes do not matter. With the loss as the metric it is `info`.
//!
//! ## Source
//! The ratio is that of SageMaker Debugger's ClassImbalance rule.

use luthier_recipe::{Balance, Metric};
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LAB001",
    name: "imbalance",
    category: Category::Labels,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("imbalance.rs"),
    look,
};

/// Largest over smallest class from which one answer is right nine times of ten.
const UNEVEN: f64 = 10.0;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let counts = reading::counts(plan);
    // a head that several streams train has classes that only some of them have
    let several = !plan.data.tasks.is_empty();
    let own = || counts.iter().filter(|count| !several || **count > 0);
    let (Some(few), Some(many)) = (own().min(), own().max()) else { return Vec::new() };
    let name = |count: u64| {
        counts
            .iter()
            .position(|n| *n == count)
            .and_then(|class| plan.data.classes.get(class))
            .cloned()
            .unwrap_or_default()
    };
    if *many == 0 || *few > 0 && (*many as f64) < UNEVEN * *few as f64 {
        return Vec::new();
    }
    let weighed = !plan.class_weights.is_empty() || plan.recipe.data.balance != Balance::None;
    let severity = match (*few, weighed, plan.recipe.eval.metric) {
        (0, ..) => Severity::Error,
        (_, false, Metric::Accuracy) => Severity::Warning,
        _ => Severity::Info,
    };
    let share = 100.0 * *many as f64 / counts.iter().sum::<u64>().max(1) as f64;
    let finding = rule
        .finding()
        .at(if *few == 0 { plan.recipe.data.source_key() } else { "eval.metric" })
        .weigh(severity, 0.8)
        .evidence(format!("`{}` has {many} training samples, `{}` {few}", name(*many), name(*few)))
        .evidence(format!("always answering the largest class is right in {share:.0} % of them"))
        .because(
            if *few == 0 {
                "a class without a sample can't be learned"
            } else {
                "accuracy hardly tells whether the rare classes are learned"
            },
            "the recall of the rarest class is as good as that of the others",
        );
    let fixable = *few > 0 && !several && !weighed && plan.recipe.loss.class_weights().is_some();
    vec![if fixable {
        finding.fix(
            "weigh classes inversely to their counts",
            [("loss.type", json!(plan.recipe.loss.name())), ("loss.class_weights", json!("balanced"))],
        )
    } else {
        finding
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn ten_to_one_by_accuracy_is_a_warning() {
        let uneven = World { counts: vec![950, 50], ..World::default() };
        let sets = ["eval.metric=accuracy"];
        assert_eq!(severity(&RULE, TABLE, &sets, &uneven), Some(Severity::Warning));
        assert_eq!(severity(&RULE, TABLE, &[], &uneven), Some(Severity::Info));
        assert_eq!(
            severity(&RULE, TABLE, &["eval.metric=accuracy", "loss.class_weights=balanced"], &uneven),
            Some(Severity::Info)
        );
        assert_eq!(
            severity(&RULE, TABLE, &sets, &World { counts: vec![600, 300], ..World::default() }),
            None
        );
        assert_eq!(
            severity(&RULE, TABLE, &[], &World { counts: vec![600, 0], ..World::default() }),
            Some(Severity::Error)
        );
        assert_eq!(severity(&RULE, NUMBERS, &[], &World::default()), None);
        // a recipe without a table for the loss takes the fix as well
        assert_eq!(severity(&RULE, PICTURES, &sets, &uneven), Some(Severity::Warning));
    }
}
