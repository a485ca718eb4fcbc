//! # FIN004 head-slower
//!
//! ## What it finds
//! A new head with a lower learning rate than the pretrained layers below it.
//!
//! ## Why it hurts
//! The part that has most to learn learns slowest, and the part that knows most is changed most.
//!
//! ## How it is measured
//! Rates of the groups that hold the head and the rest, where the head was not loaded.
//!
//! ## Example
//! ```toml
//! [optim]
//! lr = 0.01
//! groups = [{ match = "fc.*", lr = 0.0001 }]
//! ```
//!
//! ## Fix
//! A head rate that is ten times the others'.
//!
//! ## When it is wrong
//! It is `info`: with few updates it makes little difference.
//!
//! ## Source
//! Howard and Ruder 2018: discriminative rates rise towards the head.

use luthier_plan::TensorPlan;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN004",
    name: "head-slower",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("head_slower.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| reading::pretrained(plan)) else { return Vec::new() };
    let Some(load) = &plan.model.load else { return Vec::new() };
    let rate = |tensor: &TensorPlan| plan.groups.get(tensor.group?).map(|group| group.lr);
    let new = |tensor: &&TensorPlan| load.head.contains(&tensor.name);
    let head = plan.model.tensors.iter().filter(new).filter_map(rate).max_by(f64::total_cmp);
    let rest =
        plan.model.tensors.iter().filter(|tensor| !new(tensor)).filter_map(rate).max_by(f64::total_cmp);
    let (Some(head), Some(rest)) = (head, rest) else { return Vec::new() };
    if head >= 0.99 * rest {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("optim.groups")
        .weigh(Severity::Info, 0.6)
        .evidence(format!("the new head is trained at {head:.1e}, the pretrained layers at {rest:.1e}"))
        .because("what has most to learn learns slowest", "the head was trained before");
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn the_direction_of_the_rates_is_told() {
        let world = World::default();
        let with = |lr: &str| {
            severity(&RULE, PICTURES, &[&format!("optim.groups=[{{match=\"fc.*\",lr={lr}}}]")], &world)
        };
        assert_eq!(with("0.0001"), Some(Severity::Info));
        assert_eq!(with("0.1"), None);
        assert_eq!(severity(&RULE, PICTURES, &[], &world), None);
    }
}
