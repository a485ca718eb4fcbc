//! # OUT003 double-activation
//!
//! ## What it finds
//! An activation between the last layer and a loss that wants logits, and applies its own softmax or sigmoid.
//!
//! ## Why it hurts
//! Cross-entropy over C classes on numbers in [0, 1] cannot fall below ln(1 + (C − 1)/e): 1.46 for ten classes. Accuracy
//! may still be good, but gradients are small, and right answers are never confident. A ReLU cuts off all negative
//! logits: a class whose logit is negative for every sample is never learned.
//!
//! ## How it is measured
//! From the plan: the last activation, the loss, and what the loss takes its input for. The bound is computed.
//!
//! ## Example
//! ```toml
//! [model]
//! output = "softmax"
//! [loss]
//! type = "cross_entropy"   # input = "logits" is the default
//! ```
//!
//! ## Fix
//! No output activation; or `input = "probabilities"`.
//!
//! ## When it is wrong
//! Where calibrated low confidence is wanted; a `label_smoothing` does that with fewer surprises.
//!
//! ## Source
//! `torch.nn.CrossEntropyLoss`: "the input is expected to contain the unnormalized logits". The bound is derived.

use luthier_recipe::{Act, Loss, LossInput};

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OUT003",
    name: "double-activation",
    category: Category::Output,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("double_activation.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(stack) = Stack::of(plan) else { return Vec::new() };
    let logits = plan.recipe.loss.input() == Some(LossInput::Logits);
    let Some(act) = stack.last_act().filter(|_| logits) else { return Vec::new() };
    let outputs = stack.outputs().unwrap_or(1).max(1);
    let Some(floor) = floor(act, &plan.recipe.loss, outputs) else { return Vec::new() };
    let (key, none) = stack.last_act_key();
    let name = format!("{act:?}").to_lowercase();
    let finding = rule
        .finding()
        .at(key.clone())
        .weigh(Severity::Warning, 0.95)
        .evidence(format!(
            "`{}` takes its input for logits, and `{name}` comes before it",
            plan.recipe.loss.name()
        ))
        .evidence(if floor > 0.0 {
            format!("the loss of a perfect answer is {floor:.3}, not 0")
        } else {
            format!(
                "`{name}` cuts the logits off from below: what is negative for every sample gets no gradient"
            )
        })
        .because(
            "two activations stand where one belongs; the run may learn, but slowly, and its loss stays high",
            "the loss falls below the value given in the evidence",
        )
        .fix("give the loss logits", [(key.as_str(), none)]);
    vec![finding]
}

/// The loss of the most confident right answer; 0 where nothing bounds it and the activation still cuts. `None` for an
/// activation that leaves logits alone.
fn floor(act: Act, loss: &Loss, outputs: u64) -> Option<f64> {
    let (low, high) = match act {
        Act::Softmax | Act::Sigmoid => (0.0_f64, 1.0_f64),
        Act::Tanh => (-1.0, 1.0),
        Act::Relu | Act::Elu | Act::Gelu => return Some(0.0),
        Act::LeakyRelu | Act::Identity => return None,
    };
    let others = outputs.saturating_sub(1) as f64;
    Some(match loss {
        // the right answer at the top, all others at the bottom
        Loss::CrossEntropy { .. } => (1.0 + others * (low - high).exp()).ln(),
        // half of the answers are "no", for which the best is the bottom
        _ => ((1.0 + (-high).exp()).ln() + (1.0 + low.exp()).ln()) / 2.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_softmax_before_logits_is_found_with_its_floor() {
        let ten = World { counts: vec![100; 10], ..World::default() };
        for output in ["softmax", "sigmoid"] {
            let finding = found(&RULE, TABLE, &[&format!("model.output={output}")], &ten);
            assert_eq!(finding.severity, Severity::Warning);
            assert!(finding.evidence[1].contains("1.461"), "{:?}", finding.evidence);
        }
        assert_eq!(severity(&RULE, TABLE, &["model.output=relu"], &ten), Some(Severity::Warning));
    }

    #[test]
    fn probabilities_that_are_declared_and_bare_logits_are_fine() {
        let world = World::default();
        assert_eq!(
            severity(&RULE, TABLE, &["model.output=softmax", "loss.input=probabilities"], &world),
            None
        );
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
        assert_eq!(severity(&RULE, NUMBERS, &["model.output=relu"], &world), None);
    }
}
