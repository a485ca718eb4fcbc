//! # OPT005 decay-strong
//!
//! ## What it finds
//! Weight decay that takes more than it should: a tenth and more with SGD, or on biases and norms.
//!
//! ## Why it hurts
//! With SGD each update takes lr · decay of every weight: at 0.1 · 0.1 half of a weight is gone after seventy
//! updates. Scale of norms decays towards 0, and the signal with it.
//!
//! ## How it is measured
//! Decay times the sum of all rates: the number of e-foldings that weights lose over the run. With SGD a warning
//! from a decay of 0.1 and three e-foldings. On norms a warning from a decay of 0.1 and one e-folding.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "SGD"
//! lr = 0.1
//! weight_decay = 0.1
//! ```
//!
//! ## Fix
//! 1e-4 for SGD; `no_decay = ["bias", "norm"]`.
//!
//! ## When it is wrong
//! When gradients hold against it, as on easy data: L2 of 0.1 reaches accuracy 1.0 there, measured. It is a
//! warning.
//!
//! ## Source
//! Decay of w over n updates at rate η and strength λ is e^(−Σηλ), in SGD and AdamW alike.

use luthier_plan::Role;
use luthier_recipe::Rule as Update;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT005",
    name: "decay-strong",
    category: Category::Optimizer,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("decay.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let optim = &plan.recipe.optim;
    let rates: f64 =
        if plan.lr_factors.is_empty() { plan.length.updates as f64 } else { plan.lr_factors.iter().sum() };
    let lost = |decay: f64| optim.lr * rates * decay;
    let sgd = matches!(optim.rule, Update::SGD { .. });
    let norms = plan.model.tensors.iter().filter(|tensor| tensor.role == Role::Norm);
    let on_norms = norms.filter_map(|tensor| plan.groups.get(tensor.group?)).map(|group| group.weight_decay);
    let on_norms = on_norms.fold(0.0, f64::max);
    let (key, decay, what, fix) = if sgd && optim.weight_decay >= 0.1 && lost(optim.weight_decay) >= 3.0 {
        ("optim.weight_decay", optim.weight_decay, "all weights", ("optim.weight_decay", json!(1e-4)))
    } else if on_norms >= 0.1 && lost(on_norms) >= 1.0 && !matches!(optim.rule, Update::Adam { .. }) {
        (
            "optim.no_decay",
            on_norms,
            "scales and shifts of norms",
            ("optim.no_decay", json!(["bias", "norm"])),
        )
    } else {
        return Vec::new();
    };
    let finding = rule
        .finding()
        .at(key)
        .weigh(Severity::Warning, 0.6)
        .evidence(format!("a decay of {decay} is on {what}"))
        .evidence(format!("over the run it alone would leave {:.1e} of them", (-lost(decay)).exp()))
        .because("decay pulls harder than most gradients do", "norms of the weights do not fall over the run")
        .fix("decay that gradients can hold against", [fix]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn decay_is_judged_by_what_it_takes_over_the_run() {
        let world = World::default();
        assert_eq!(severity(&RULE, TABLE, &["optim.weight_decay=0.1"], &world), Some(Severity::Warning));
        assert_eq!(severity(&RULE, TABLE, &["optim.weight_decay=1e-4"], &world), None);
        assert_eq!(severity(&RULE, TABLE, &["optim.weight_decay=0.1", "train.epochs=1"], &world), None);
        assert_eq!(severity(&RULE, TEXTS, &[], &world), None);
        let normed = "model.layers=[{linear=8},{layer_norm=true},{act=\"relu\"},{linear=\"classes\"}]";
        let adamw = ["optim.type=AdamW", "optim.lr=0.01", "optim.weight_decay=1.0", normed];
        assert_eq!(found(&RULE, TABLE, &adamw, &world).place, "optim.no_decay");
        let spared = [&adamw[..], &["optim.no_decay=[\"norm\"]"]].concat();
        assert_eq!(severity(&RULE, TABLE, &spared, &world), None);
    }
}
