//! # OPT002 lr-high
//!
//! ## What it finds
//! A learning rate that is high for any network that starts from random weights.
//!
//! ## Why it hurts
//! Adam moves each weight by about the rate at every update: at 0.1 a layer with weights of 0.1 is another one
//! after each. Plain descent above 1 oversteps the minimum of nearly every loss on standardised data.
//!
//! ## How it is measured
//! The largest rate of the run. Adam: a warning from 0.1, an error from 0.5. SGD: lr / (1 − momentum), warning from
//! 1, error from 5.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "Adam"
//! lr = 0.1
//! ```
//!
//! ## Fix
//! Adam 1e-3, SGD 0.1 without and 0.01 with momentum.
//!
//! ## When it is wrong
//! On easy data Adam gets along with 0.1, with most ReLUs dead; on XOR and other toys high rates are right. That is
//! why it is a warning.
//!
//! ## Source
//! Wide bands around the rates that published recipes use; UMLAUT's 0.01 misfires on most healthy runs.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT002",
    name: "lr-high",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("lr_scratch.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !reading::pretrained(plan) && reading::trusted(plan).is_none())
    else {
        return Vec::new();
    };
    let rates = plan.groups.iter().map(|group| group.lr);
    let Some(lr) = rates.max_by(f64::total_cmp).map(|lr| reading::peak(plan, lr)) else { return Vec::new() };
    let adaptive = reading::adaptive(plan);
    let size = lr / (1.0 - reading::momentum(plan));
    let [warning, error] = if adaptive { [0.1, 0.5] } else { [1.0, 5.0] };
    // rounding: 0.1 / (1 − 0.9) is a hair above 1
    if size < warning * (1.0 - 1e-9) || (!adaptive && size <= warning * (1.0 + 1e-9)) {
        return Vec::new();
    }
    let severity = if size >= error { Severity::Error } else { Severity::Warning };
    let safe = if adaptive { 1e-3 } else { 0.1 * (1.0 - reading::momentum(plan)) };
    let safe: f64 = format!("{safe:.1e}").parse().unwrap_or(safe);
    let finding = rule
        .finding()
        .at("optim.lr")
        .weigh(severity, if severity == Severity::Error { 0.85 } else { 0.6 })
        .evidence(format!("the largest rate of the run is {lr}, with momentum as good as {size:.2}"))
        .evidence(if adaptive {
            format!("each weight moves by up to {lr} at every update, and starts at a tenth of 1 or less")
        } else {
            "steps are longer than the curvature of most losses allows".to_owned()
        })
        .because(
            "updates are as large as the weights, so the network is another one after each",
            "the loss falls steadily from the first updates on",
        )
        .fix(format!("a rate of {safe}"), [(reading::rate_key(plan), json!(safe))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn only_extremes_are_found() {
        let world = World::default();
        let rows = [
            ("Adam", "0.1", "0", Some(Severity::Warning)),
            ("Adam", "1.0", "0", Some(Severity::Error)),
            ("Adam", "0.05", "0", None),
            ("SGD", "0.5", "0", None),
            ("SGD", "2.0", "0", Some(Severity::Warning)),
            ("SGD", "0.1", "0.9", None),
            ("SGD", "1.0", "0.9", Some(Severity::Error)),
        ];
        for (kind, lr, momentum, expected) in rows {
            let sets = [
                format!("optim.type={kind}"),
                format!("optim.lr={lr}"),
                format!("optim.momentum={momentum}"),
            ];
            let used = if kind == "SGD" { 3 } else { 2 };
            let sets: Vec<&str> = sets.iter().take(used).map(String::as_str).collect();
            assert_eq!(severity(&RULE, TABLE, &sets, &world), expected, "{sets:?}");
        }
        assert_eq!(severity(&RULE, PICTURES, &["optim.lr=2.0"], &world), None, "that is another rule's");
    }
}
