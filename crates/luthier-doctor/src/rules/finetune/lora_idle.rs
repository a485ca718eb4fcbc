//! # FIN102 lora-idle
//!
//! ## What it finds
//! A LoRA that did nothing over the run: B is still zero.
//!
//! ## Why it hurts
//! A layer gives W x + s B A x. With B at zero it gives W x: the network is the one that it began as, under a trained
//! head.
//!
//! ## How it is measured
//! The norms of all B at the looks after the first update. At the first look B is zero, and so is the gradient of A: that
//! is how LoRA begins. Two later looks at which B is exactly zero, at a rate that is not, are no beginning.
//!
//! ## Example
//! ```toml
//! [model]
//! lora = { r = 8, alpha = 16.0 }
//! [optim]
//! groups = [{ match = "*lora_*", lr = 1e-30 }]
//! ```
//!
//! ## Fix
//! A rate for the matrices as for the rest; or leave `lora` out.
//!
//! ## When it is wrong
//! Never for B: zero is zero. Some layers' B alone may stay there where their output is not used.
//!
//! ## Source
//! Hu et al. 2021, section 4.1: B begins at zero.

use std::collections::BTreeMap;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity, history};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN102",
    name: "lora-idle",
    category: Category::Finetune,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("lora_idle.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let mut norms: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut last = 0;
    for look in run.monitor.iter().filter(|look| look.update > 1) {
        for tensor in look.tensors.iter().filter(|tensor| tensor.name.contains(".lora_B")) {
            norms.entry(tensor.name.as_str()).or_default().push(tensor.norm);
            last = last.max(look.update);
        }
    }
    let rates = run.metrics.steps.iter().map(history::rate).fold(0.0, f64::max);
    let idle = |norms: &&Vec<f64>| norms.len() >= 2 && norms.iter().all(|norm| *norm == 0.0);
    let still = norms.values().filter(idle).count();
    if still == 0 || rates == 0.0 {
        return Vec::new();
    }
    let all = still == norms.len();
    let name = norms.iter().find(|(_, norms)| idle(norms)).map_or("", |(name, _)| *name);
    let finding = rule
        .finding()
        .at(name)
        .weigh(if all { Severity::Error } else { Severity::Warning }, if all { 0.97 } else { 0.7 })
        .evidence(format!("B is exactly zero in {still} of {} adapted layers at update {last}", norms.len()))
        .because(
            "these layers give what they gave before the run: their LoRA is multiplied by zero",
            "B is not zero in the last checkpoint",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::Severity;
    use crate::rules::sample::*;

    const LOOKS: [u64; 4] = [1, 2, 50, 100];

    #[test]
    fn b_leaves_zero_after_the_first_update() {
        let b = |made: Made, layer: &str, norm: f64| {
            made.tensor(&format!("{layer}.lora_B.weight"), move |update| {
                (if update == 1 { 0.0 } else { norm }, 0.1, norm / 10.0)
            })
        };
        let made = || learning(200).looks_of(&LOOKS).tensor("a.lora_A.weight", |_| (1.0, 0.1, 1e-3));
        let idle = b(b(made(), "a", 0.0), "b", 0.0);
        assert_eq!(one(&RULE, &idle).severity, Severity::Error);
        assert_eq!(one(&RULE, &b(b(made(), "a", 0.3), "b", 0.0)).severity, Severity::Warning);
        silent(&RULE, &b(b(made(), "a", 0.3), "b", 0.01));
        // how it begins: B is zero, and A has no gradient
        let first = learning(200).looks_of(&[1]).tensor("a.lora_B.weight", |_| (0.0, 0.1, 1e-3));
        silent(&RULE, &first);
        silent(&RULE, &learning(200).looks(1e-3));
    }
}
