//! # ACT001 vanishing-activation
//!
//! ## What it finds
//! A stack of sigmoids, tanh or softmax through which hardly any gradient comes back to the first layers.
//!
//! ## Why it hurts
//! The slope of a sigmoid is at most 1/4. Each layer multiplies the gradient by that and by the size of its
//! weights: behind six of them the first layer gets a thousandth, and the loss stays where it was.
//!
//! ## How it is measured
//! Predicted from widths and `model.init`: the gradient at the first layer over that at the last, below 0.5 % a
//! warning, below 0.1 % an error. With Adam it is a warning at most, because it divides the size of gradients out.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = 32 }, { act = "sigmoid" }, { linear = 32 }, { act = "sigmoid" }, { linear = 32 }, { act = "sigmoid" }, { linear = 32 }, { act = "sigmoid" }, { linear = 10 }]
//! ```
//!
//! ## Fix
//! `relu` with `he_normal`; or normalisation layers between.
//!
//! ## When it is wrong
//! For two or three sigmoids of good start it does not fire: they train, if slowly.
//!
//! ## Source
//! Six layers of 32 sigmoids: loss 2.30 and accuracy 0.10, gradient ratio 7e-4; relu with He: 1.0, measured.

use luthier_recipe::{Act, WeightInit};
use serde_json::json;

use crate::reading;
use crate::stack::Stack;
use crate::{Category, Facts, Finding, Fix, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "ACT001",
    name: "vanishing-activation",
    category: Category::Activation,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("vanishing.rs"),
    look,
};

/// Gradient at the first layer over that at the last from which the first is as good as frozen.
const GONE: f64 = 1e-3;
/// From here on it learns much slower than the last.
const WEAK: f64 = 5e-3;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !reading::pretrained(plan)) else { return Vec::new() };
    let Some(stack) = Stack::of(plan) else { return Vec::new() };
    if matches!(stack.init.weights, WeightInit::Zeros | WeightInit::Constant) {
        return Vec::new();
    }
    let acts = stack.hidden_acts();
    let flat: Vec<_> =
        acts.iter().filter(|(_, act)| matches!(act, Act::Sigmoid | Act::Tanh | Act::Softmax)).collect();
    let Some(start) = stack.start().filter(|start| start.gradient < WEAK && flat.len() > 1) else {
        return Vec::new();
    };
    let severity =
        if reading::adaptive(plan) || start.gradient >= GONE { Severity::Warning } else { Severity::Error };
    let mut finding = rule
        .finding()
        .at(format!("model.layers[{}].act", flat[0].0))
        .weigh(severity, 0.85)
        .evidence(format!("{} of {} hidden activations are flat at their ends", flat.len(), acts.len()))
        .evidence(format!(
            "the first layer is predicted to get {:.1e} of the last layer's gradient",
            start.gradient
        ))
        .because(
            "hardly any gradient comes back to the first layers, so they stay as they were drawn",
            "the first layer's gradient is as large as the last's",
        );
    let acts = flat.iter().map(|(index, _)| (format!("model.layers[{index}].act"), json!("relu")));
    let init = [("weights", json!("he_normal")), ("std", json!(null)), ("value", json!(null))];
    let init = init.into_iter().map(|(key, value)| (format!("model.init.{key}"), value));
    finding.fix = Some(Fix {
        summary: "ReLUs with the start that they need".into(),
        patch: acts.chain(init).collect(),
    });
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn of(layers: usize, act: &str, init: &str, optim: &str) -> Option<Severity> {
        let hidden = format!("{{linear=32}},{{act=\"{act}\"}},").repeat(layers);
        let sets = [
            format!("model.layers=[{hidden}{{linear=\"classes\"}}]"),
            format!("model.init={init}"),
            format!("optim.type={optim}"),
        ];
        severity(&RULE, TABLE, &[&sets[0], &sets[1], &sets[2]], &World::default())
    }

    #[test]
    fn deep_sigmoids_are_found_and_shallow_ones_are_not() {
        let plain = "{weights=\"default\"}";
        assert_eq!(of(6, "sigmoid", plain, "SGD"), Some(Severity::Error));
        assert_eq!(of(6, "sigmoid", plain, "Adam"), Some(Severity::Warning));
        assert_eq!(of(3, "sigmoid", "{weights=\"normal\",std=0.05}", "SGD"), Some(Severity::Error));
        assert_eq!(of(6, "tanh", "{weights=\"normal\",std=0.02}", "SGD"), Some(Severity::Error));
        assert_eq!(of(1, "sigmoid", plain, "SGD"), None);
        assert_eq!(of(2, "sigmoid", "{weights=\"xavier_normal\"}", "SGD"), None);
        assert_eq!(of(6, "tanh", "{weights=\"xavier_normal\"}", "SGD"), None);
        assert_eq!(of(6, "relu", plain, "SGD"), None);
    }
}
