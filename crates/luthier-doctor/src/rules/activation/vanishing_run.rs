//! # ACT101 vanishing-by-depth
//!
//! ## What it finds
//! Gradients that get lost on their way to the first layers.
//!
//! ## Why it hurts
//! The first layers do not learn, and the last ones are fed with noise.
//!
//! ## How it is measured
//! Among the weights that were looked at, five layers at least: the median gradient of the first third is below 1/200
//! of that of the last third at the first looks, and the loss did not fall. In healthy networks of the same depth the
//! two are within a factor of 20.
//!
//! ## Example
//! ```toml
//! [[model.layers]]
//! units = 32
//! activation = "sigmoid" # six of them
//! ```
//!
//! ## Fix
//! ReLU with He initialisation, normalisation between the layers, residuals; or Adam, which scales each tensor's
//! step.
//!
//! ## When it is wrong
//! When first layers are embeddings of rare tokens: their gradients are small, and their loss falls.
//!
//! ## Source
//! Glorot & Bengio 2010. First to last of six sigmoid layers: 7e-4, of ReLU layers: 1.2 to 3.5, measured.

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "ACT101",
    name: "vanishing-by-depth",
    category: Category::Activation,
    phase: Phase::Online,
    kind: Kind::Cause,
    source: include_str!("vanishing_run.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let losses = history::losses(&run.metrics);
    let Some(look) = run.monitor.iter().find(|look| look.update >= 2).or(run.monitor.first()) else {
        return Vec::new();
    };
    let weights: Vec<f64> = look
        .tensors
        .iter()
        .filter(|tensor| tensor.name.ends_with("weight") && tensor.grad > 0.0)
        .map(|tensor| tensor.grad)
        .collect();
    let third = weights.len() / 3;
    if weights.len() < 5 || losses.len() < 20 || history::has_learned(facts, &losses) {
        return Vec::new();
    }
    let (first, last) =
        (history::median(&weights[..third]), history::median(&weights[weights.len() - third..]));
    if first > last / 200.0 {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at(look.tensors.first().map_or(String::new(), |tensor| tensor.name.clone()))
        .weigh(Severity::Error, 0.7)
        .evidence(format!(
            "at update {} the gradient of the first layers is {first:.1e}, that of the last {last:.1e}: a factor of {:.0}",
            look.update,
            last / first
        ))
        .evidence(format!("the loss began at {:.4} and ended at {:.4}", history::start(&losses), history::end(&losses)))
        .because(
            "each layer passes on a fraction of its gradient, so that none is left at the first",
            "with ReLU in place of the activations the factor stays",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    fn deep(factor: f64, losses: Made) -> Made {
        (0..7).fold(losses.looks_of(&[1, 2, 5]), |made, layer| {
            made.tensor(&format!("{layer}.weight"), move |_| (1.0, factor.powi(6 - layer), 1e-3))
        })
    }

    #[test]
    fn gradients_that_fade() {
        assert_eq!(one(&RULE, &deep(0.3, flat(200))).place, "0.weight");
        silent(&RULE, &deep(0.9, flat(200)));
        silent(&RULE, &deep(0.3, learning(200)));
    }
}
