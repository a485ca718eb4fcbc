//! # OPT009 trust-ratio-rate
//!
//! ## What it finds
//! A rate of Adam's or SGD's size on LAMB or LARS, where the rate means something else.
//!
//! ## Why it hurts
//! One update of LAMB moves every tensor by lr · ‖w‖, one of LARS by lr · trust_coefficient · ‖w‖ / (1 − momentum).
//! LARS at 1e-3 moves nothing; LAMB at 0.3 makes every layer another one after a few updates.
//!
//! ## How it is measured
//! That share at the highest rate: a warning from 0.1, an error from 0.5, for pretrained weights from 0.03 and 0.1. And
//! the sum of the shares of all updates: a warning where random weights can move by less than a tenth of themselves.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "LARS"
//! lr = 0.001
//! ```
//!
//! ## Fix
//! A share of 0.003 for an update: LAMB 0.003, LARS 0.3 with a momentum of 0.9; a tenth of it for pretrained weights.
//!
//! ## When it is wrong
//! When biases or norms, which have no trust ratio, are all that is to be trained.
//!
//! ## Source
//! Published recipes: LAMB 0.002 … 0.01, LARS 0.2 … 0.6 for 256 samples.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT009",
    name: "trust-ratio-rate",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("trust_rate.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(share) = reading::trusted(plan) else { return Vec::new() };
    let pretrained = reading::pretrained(plan);
    let rates = plan.groups.iter().map(|group| group.lr);
    let Some(lr) = rates.max_by(f64::total_cmp) else { return Vec::new() };
    let factors =
        if plan.lr_factors.is_empty() { plan.length.updates as f64 } else { plan.lr_factors.iter().sum() };
    let step = reading::peak(plan, lr) * share;
    let way = lr * factors * share;
    let [warning, error] = if pretrained { [0.03, 0.1] } else { [0.1, 0.5] };
    let severity = match step {
        step if step >= error => Severity::Error,
        step if step >= warning => Severity::Warning,
        _ if way < 0.1 && !pretrained => Severity::Warning,
        _ => return Vec::new(),
    };
    let usual = if pretrained { 3e-4 } else { 3e-3 } / share;
    let usual: f64 = format!("{usual:.1e}").parse().unwrap_or(usual);
    let (why, refute) = if step >= warning {
        (
            "every tensor is another one after a few updates",
            "the loss falls steadily from the first updates on",
        )
    } else {
        ("the weights end about where they were drawn", "the loss has stopped falling long before the end")
    };
    let finding = rule
        .finding()
        .at("optim.lr")
        .weigh(severity, 0.8)
        .evidence(format!("one update moves a tensor by up to {:.2e} of its norm", step))
        .evidence(format!("all updates together by at most {way:.2e} of it"))
        .because(why, refute)
        .fix(format!("a rate of about {usual:.0e}"), [(reading::rate_key(plan), json!(usual))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn the_rate_is_judged_as_a_share_of_a_tensor() {
        let world = World::default();
        let rows = [
            (TABLE, "LAMB", "0.003", None),
            (TABLE, "LAMB", "0.2", Some(Severity::Warning)),
            (TABLE, "LAMB", "1.0", Some(Severity::Error)),
            // 760 updates
            (TABLE, "LAMB", "1e-5", Some(Severity::Warning)),
            (TABLE, "LARS", "0.001", Some(Severity::Warning)),
            (TABLE, "LARS", "0.3", None),
            (TABLE, "LARS", "5.0", None),
            (TABLE, "LARS", "20.0", Some(Severity::Warning)),
            (TABLE, "Adam", "0.2", None),
            (PICTURES, "LAMB", "0.05", Some(Severity::Warning)),
            (PICTURES, "LAMB", "1e-5", None),
        ];
        for (text, kind, lr, expected) in rows {
            let sets = [format!("optim.type={kind}"), format!("optim.lr={lr}")];
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            assert_eq!(severity(&RULE, text, &sets, &world), expected, "{kind} {lr}");
        }
    }
}
