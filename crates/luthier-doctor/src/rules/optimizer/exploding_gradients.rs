//! # OPT106 exploding-gradients
//!
//! ## What it finds
//! A gradient that left its own history behind: for five updates in a row ten times what 95 % of the updates before
//! it had.
//!
//! ## Why it hurts
//! It is how a run ends that has become unstable. The cause is a learning rate, an initialisation or data further up.
//!
//! ## How it is measured
//! The global gradient norm before clipping, against the 95th percentile of the updates before; a norm that is high
//! all along is no finding.
//!
//! ## Example
//! ```toml
//! [optim]
//! lr = 1.0
//! [train]
//! # no clip_grad_norm
//! ```
//!
//! ## Fix
//! Remove the cause; `train.clip_grad_norm` at about the usual norm bridges rare bursts.
//!
//! ## When it is wrong
//! Where a new stage starts to train other tensors: its norm is another one.
//!
//! ## Source
//! Pascanu et al. 2013 on clipping; relative thresholds because absolute ones shout at healthy runs.

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OPT106",
    name: "exploding-gradients",
    category: Category::Optimizer,
    phase: Phase::Online,
    kind: Kind::Symptom,
    source: include_str!("exploding_gradients.rs"),
    look,
};

/// Updates in a row.
const ROW: usize = 5;
/// Times the 95th percentile of those before.
const TIMES: f64 = 10.0;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let stages = &run.metrics.stages;
    let made = run.metrics.steps.iter().filter(|step| !step.skipped);
    let norms: Vec<(u64, f64)> = made.map(|step| (step.at.update, step.grad_norm)).collect();
    let (mut row, mut usual) = (0, f64::INFINITY);
    for (index, (update, norm)) in norms.iter().enumerate().skip(20) {
        if row == 0 && index % 20 == 0 {
            let before: Vec<f64> = norms[..index].iter().rev().take(500).map(|(_, norm)| *norm).collect();
            usual = history::quantile(&before, 0.95);
        }
        row = if *norm > TIMES * usual || !norm.is_finite() { row + 1 } else { 0 };
        if row == ROW && !stages.iter().any(|stage| stage.at.update + 50 > *update && stage.at.update > 0) {
            let since = update + 1 - ROW as u64;
            let finding = rule
                .finding()
                .at(format!("update {since}"))
                .weigh(Severity::Warning, 0.8)
                .evidence(format!(
                    "from update {since} on the gradient norm is above {:.2e}; 95 % of the updates before had less \
                     than {usual:.2e}",
                    TIMES * usual
                ))
                .because(
                    "the run has become unstable: what did it is a step that was too long, or a batch that was odd",
                    "the norm comes back by itself and the loss goes on falling",
                );
            return vec![finding];
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_norm_that_leaves_its_history() {
        silent(&RULE, &learning(300).norms(|n| (2.0 * normal(n)).exp()));
        silent(&RULE, &learning(300).norms(|_| 900.0));
        let off = learning(300).norms(|n| if n < 200 { 1.0 } else { 1.0 + (n as f64 - 200.0).exp() });
        assert!(one(&RULE, &off).symptom);
    }
}
