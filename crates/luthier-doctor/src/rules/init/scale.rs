//! # INI002 init-scale
//!
//! ## What it finds
//! Weights that start so small or so large that the signal dies out or explodes on its way through the layers.
//!
//! ## Why it hurts
//! Each layer multiplies the size of its input by √(n · σ²) and the activation's own factor. Over six layers a
//! factor of 0.04 leaves nothing: all samples give the same output, and gradients of the first layers are as small.
//! A factor of 16 gives a first loss in the thousands, and the first step kills the ReLUs.
//!
//! ## How it is measured
//! Predicted from widths, activations and `model.init` for inputs of deviation 1: the deviation of the last layer's
//! outputs, and the gradient at the first layer over that at the last. It is this fault beyond 1e-3 … 1e3 for the
//! outputs, below 1e-3 for the gradient; normalisation layers set the size back to 1. Adam divides the gradient's
//! size out, which is why it is a warning there.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = 32 }, { act = "relu" }, { linear = 32 }, { act = "relu" }, { linear = 32 }, { act = "relu" }, { linear = 10 }]
//! init = { weights = "normal", std = 0.01 }
//! ```
//!
//! ## Fix
//! `he_normal` for ReLUs, `xavier_normal` for sigmoids and tanh; or normalisation layers.
//!
//! ## When it is wrong
//! For nets so wide or narrow that the mean over units says little about single ones.
//!
//! ## Source
//! He et al. 2015; Schoenholz et al. 2017, Deep Information Propagation. Six ReLU layers with std 0.01: accuracy
//! 0.11; with std 0.5: first loss 286, measured.

use luthier_recipe::{Act, WeightInit};
use serde_json::json;

use crate::reading;
use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "INI002",
    name: "init-scale",
    category: Category::Init,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("scale.rs"),
    look,
};

/// Size of signal or gradient from which a run at usual rates does not begin to learn, or begins by diverging.
const SMALL: f64 = 1e-3;
const LARGE: f64 = 1e3;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !reading::pretrained(plan)) else { return Vec::new() };
    let Some(stack) = Stack::of(plan).filter(|stack| stack.weighted().len() > 1) else { return Vec::new() };
    // equal weights have no deviation to speak of: they are a fault of their own
    if matches!(stack.init.weights, WeightInit::Zeros | WeightInit::Constant) {
        return Vec::new();
    }
    let Some(start) = stack.start() else { return Vec::new() };
    let saturating =
        stack.hidden_acts().iter().any(|(_, act)| matches!(act, Act::Sigmoid | Act::Tanh | Act::Softmax));
    // small gradients behind flat activations are those activations' doing
    if (SMALL..=LARGE).contains(&start.signal) && (start.gradient >= SMALL || saturating) {
        return Vec::new();
    }
    let severity = if reading::adaptive(plan) { Severity::Warning } else { Severity::Error };
    let relu = if saturating { "xavier_normal" } else { "he_normal" };
    let finding = rule
        .finding()
        .at("model.init.weights")
        .weigh(severity, 0.85)
        .evidence(format!("outputs of the last layer are predicted to start with a deviation of {:.1e}", start.signal))
        .evidence(format!(
            "over {} layers with weights, gradients change by a factor of {:.1e} on their way back",
            stack.weighted().len(),
            start.gradient
        ))
        .because(
            "the weights start at a size that does not fit widths and depth, so that the signal dies out or explodes",
            "outputs of an untrained model differ from sample to sample, by about 1",
        );
    let set = plan.recipe.model.init.is_some_and(|init| init.weights.eq(&WeightInit::HeNormal));
    let out = json!(null);
    vec![if set {
        finding
    } else {
        finding.fix(
            "the variance that the activation needs",
            [("model.init.weights", json!(relu)), ("model.init.std", out.clone()), ("model.init.value", out)],
        )
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn deep(layers: usize, init: &str) -> [String; 2] {
        let hidden = "{linear=32},{act=\"relu\"},".repeat(layers);
        [format!("model.layers=[{hidden}{{linear=\"classes\"}}]"), format!("model.init={init}")]
    }

    fn of(layers: usize, init: &str) -> Option<Severity> {
        let sets = deep(layers, init);
        severity(&RULE, TABLE, &[&sets[0], &sets[1]], &World::default())
    }

    #[test]
    fn signals_that_die_out_or_explode_are_found() {
        assert_eq!(of(6, "{weights=\"normal\",std=0.01,bias=0.0}"), Some(Severity::Error));
        assert_eq!(of(6, "{weights=\"normal\",std=1.0,bias=0.0}"), Some(Severity::Error));
        assert_eq!(
            of(8, "{weights=\"normal\",std=0.02}"),
            Some(Severity::Error),
            "a bias hides it in the forward pass"
        );
    }

    #[test]
    fn starts_that_fit_are_not() {
        for init in ["he_normal", "he_uniform", "xavier_normal", "default", "lecun_normal", "orthogonal"] {
            for layers in [1, 2, 4] {
                assert_eq!(of(layers, &format!("{{weights=\"{init}\"}}")), None, "{init} {layers}");
            }
        }
        assert_eq!(of(30, "{weights=\"he_normal\",bias=0.0}"), None);
        assert_eq!(of(1, "{weights=\"normal\",std=0.05}"), None);
        let normed = "{linear=32},{batch_norm=true},{act=\"relu\"},".repeat(6);
        let sets = [
            format!("model.layers=[{normed}{{linear=\"classes\"}}]"),
            "model.init={weights=\"normal\",std=0.01}".into(),
        ];
        assert_eq!(severity(&RULE, TABLE, &[&sets[0], &sets[1]], &World::default()), None);
    }

    #[test]
    fn he_keeps_the_size_over_any_depth() {
        let sets = deep(20, "{weights=\"he_normal\",bias=0.0}");
        let subject = Subject::new(TABLE, &[&sets[0], &sets[1]], &World::default());
        let start = Stack::of(&subject.plan).unwrap().start().unwrap();
        assert!((start.signal - 2_f64.sqrt()).abs() < 0.1 * start.signal, "{start:?}");
        assert!((0.7..1.4).contains(&start.gradient), "{start:?}");
    }
}
