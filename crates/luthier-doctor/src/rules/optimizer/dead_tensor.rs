//! # OPT104 dead-tensor
//!
//! ## What it finds
//! Trained tensors whose gradient was exactly 0 at every look.
//!
//! ## Why it hurts
//! They are trained in name only: nothing that they compute reaches the loss. Dead units, a head that is not used, a
//! graph that was cut.
//!
//! ## How it is measured
//! The gradient's norm at every look, two at least, is 0 to the last bit. LoRA's A has no gradient at its first
//! update, when B is 0, and has one from the second on: that is no finding.
//!
//! ## Example
//! ```toml
//! [model]
//! train = ["head.*", "unused.*"]
//! ```
//!
//! ## Fix
//! Find what cuts the tensor off: dead activations before it, or a part that the forward pass never calls.
//!
//! ## When it is wrong
//! For an embedding whose tokens never occur in the data.
//!
//! ## Source
//! torch's `find_unused_parameters`; the exactness of the zero is what tells it from a small gradient.

use super::{by_tensor, named};
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT104",
    name: "dead-tensor",
    category: Category::Optimizer,
    phase: Phase::Online,
    kind: Kind::Symptom,
    source: include_str!("dead_tensor.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let seen = by_tensor(run.monitor.iter());
    let dead: Vec<&str> = seen
        .iter()
        .filter(|(_, points)| points.len() >= 2 && points.iter().all(|point| point.grad == 0.0))
        .map(|(name, _)| *name)
        .collect();
    let Some(first) = dead.first() else { return Vec::new() };
    let all = dead.len() == seen.len();
    let finding = rule
        .finding()
        .at(*first)
        .weigh(if all { Severity::Error } else { Severity::Warning }, 0.9)
        .evidence(format!(
            "{} of {} trained tensors had a gradient of exactly 0 at every look: {}",
            dead.len(),
            seen.len(),
            named(&dead)
        ))
        .because(
            "nothing that these tensors compute reaches the loss",
            "their gradient is above 0 for some batch of the training data",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_gradient_that_is_zero_throughout() {
        let dead = learning(200).looks(1e-3).tensor("a.weight", |_| (1.0, 0.0, 0.0));
        assert_eq!(one(&RULE, &dead).place, "a.weight");
        let lora = learning(200).looks(1e-3);
        let lora = lora.tensor("lora_A.weight", |at| (1.0, if at == 1 { 0.0 } else { 0.1 }, 1e-3));
        silent(&RULE, &lora);
    }
}
