//! # LOS005 smoothing-heavy
//!
//! ## What it finds
//! Label smoothing that leaves the right class little more than the others.
//!
//! ## Why it hurts
//! With smoothing s, the right one of C classes is to get 1 − s + s / C and each other s / C. The gradient that tells
//! them apart is 1 − s of what it was.
//!
//! ## How it is measured
//! `loss.label_smoothing` above a half: more is spread than is left.
//!
//! ## Example
//! ```toml
//! [loss]
//! type = "cross_entropy"
//! label_smoothing = 0.9
//! ```
//!
//! ## Fix
//! 0.1, as in the papers that use it.
//!
//! ## When it is wrong
//! When the labels are known to be that unreliable.
//!
//! ## Source
//! Szegedy et al., Rethinking the Inception Architecture (2016), section 7.

use luthier_recipe::Loss;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS005",
    name: "smoothing-heavy",
    category: Category::Loss,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("smoothing.rs"),
    look,
};

/// Nine tenths of the signal gone: runs end before it adds up.
const ERROR: f64 = 0.9;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(Loss::CrossEntropy { label_smoothing, .. }) = facts.plan.map(|plan| &plan.recipe.loss) else {
        return Vec::new();
    };
    if *label_smoothing <= 0.5 {
        return Vec::new();
    }
    let severity = if *label_smoothing >= ERROR { Severity::Error } else { Severity::Warning };
    let finding = rule
        .finding()
        .at("loss.label_smoothing")
        .weigh(severity, 0.9)
        .evidence(format!(
            "{:.0} % of every target is spread over all classes; {:.0} % of the signal is left",
            100.0 * label_smoothing,
            100.0 * (1.0 - label_smoothing)
        ))
        .because("the right class is hardly told from the others", "the labels are that unreliable")
        .fix("smooth by a tenth", [("loss.label_smoothing", json!(0.1))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn little_smoothing_is_usual_and_much_is_not() {
        let set = |s: &str| format!("loss={{type=\"cross_entropy\",label_smoothing={s}}}");
        for (s, expected) in
            [("0.1", None), ("0.5", None), ("0.7", Some(Severity::Warning)), ("0.99", Some(Severity::Error))]
        {
            assert_eq!(severity(&RULE, PICTURES, &[&set(s)], &World::default()), expected, "{s}");
        }
    }
}
