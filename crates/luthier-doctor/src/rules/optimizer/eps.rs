//! # OPT003 eps-large
//!
//! ## What it finds
//! An `eps` of Adam or RMSprop that is larger than the gradients it is added to.
//!
//! ## Why it hurts
//! The step is lr · m / (√v + eps). Gradients of single weights are often 1e-4 and less: an eps of 1 makes steps
//! ten thousand times shorter. It looks like a rate that is too low.
//!
//! ## How it is measured
//! `optim.eps`: a warning from 1e-3, an error from 0.1, unless the rate is as much higher as well.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "Adam"
//! lr = 0.001
//! eps = 1.0
//! ```
//!
//! ## Fix
//! `eps = 1e-8`.
//!
//! ## When it is wrong
//! Some reinforcement learners and Inception were trained with 0.1 or 1.0 and rates to match; then lr · 1e-3 / eps
//! is a usual rate and the rule is silent.
//!
//! ## Source
//! Adam with eps 1: accuracy 0.31 to 0.37, updates a hundredth of the healthy ones, measured.

use luthier_recipe::Rule as Update;
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT003",
    name: "eps-large",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("eps.rs"),
    look,
};

/// A usual gradient of one weight at the start.
const GRADIENT: f64 = 1e-3;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (Update::Adam { eps, .. } | Update::AdamW { eps, .. } | Update::RMSprop { eps, .. }) =
        plan.recipe.optim.rule
    else {
        return Vec::new();
    };
    let lr = reading::peak(plan, plan.recipe.optim.lr);
    let step = lr * GRADIENT / (GRADIENT + eps);
    // a rate that makes up for it was chosen with it
    if eps < 1e-3 || step > 3e-4 {
        return Vec::new();
    }
    let severity = if eps >= 0.1 { Severity::Error } else { Severity::Warning };
    let finding = rule
        .finding()
        .at("optim.eps")
        .weigh(severity, if severity == Severity::Error { 0.9 } else { 0.5 })
        .evidence(format!(
            "steps for a gradient of {GRADIENT} are {step:.1e} with eps {eps}, and {lr:.1e} without"
        ))
        .because(
            "the number that should only keep a division from failing decides how long the steps are",
            "gradients of single weights are larger than eps",
        )
        .fix("the default", [("optim.eps", json!(1e-8))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_large_eps_is_found_unless_the_rate_makes_up_for_it() {
        let world = World::default();
        let with = |eps: &str, lr: &str| {
            severity(&RULE, NUMBERS, &[&format!("optim.eps={eps}"), &format!("optim.lr={lr}")], &world)
        };
        assert_eq!(with("1.0", "0.001"), Some(Severity::Error));
        assert_eq!(with("0.01", "0.001"), Some(Severity::Warning));
        assert_eq!(with("1.0", "1.0"), None);
        assert_eq!(with("1e-8", "0.001"), None);
        assert_eq!(with("1e-16", "0.001"), None);
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
    }
}
