//! # LOS101 not-finite
//!
//! ## What it finds
//! A run that ended with a number that is not finite: a loss, a weight, an output or a gradient.
//!
//! ## Why it hurts
//! No update can be made from it. It is what a fault came to, not the fault.
//!
//! ## How it is measured
//! The session names the input, the weight, the first part of the network whose output is not finite, or the gradient
//! nearest to the output; older records are read for a loss that is none.
//!
//! ## Example
//! ```toml
//! [optim]
//! lr = 100.0
//! ```
//!
//! ## Fix
//! Remove the cause that is named beside it; the usual one is a learning rate that is too high.
//!
//! ## When it is wrong
//! Never: NaN is NaN.
//!
//! ## Source
//! IEEE 754.

use luthier_plan::Outcome;
use luthier_plan::watch::NOT_FINITE;
use luthier_track::StepPoint;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS101",
    name: "not-finite",
    category: Category::Loss,
    phase: Phase::Online,
    kind: Kind::Symptom,
    source: include_str!("not_finite.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let metrics = &run.metrics;
    let end = metrics.end.as_ref().filter(|end| end.outcome == Outcome::Diverged);
    let stopped = end.filter(|end| end.rule.as_deref().is_none_or(|code| code == NOT_FINITE));
    // an update that was skipped is how a loss scale finds its height
    let bad = |step: &&StepPoint| !step.loss.is_finite() || !step.skipped && !step.grad_norm.is_finite();
    let step = metrics.steps.iter().find(bad);
    let eval = metrics.evals.iter().find(|eval| !eval.loss.is_finite());
    let update = match (stopped, step, eval) {
        (Some(end), ..) => end.at.update + 1,
        (_, Some(step), _) => step.at.update,
        (_, _, Some(eval)) => eval.at.update,
        _ => return Vec::new(),
    };
    let mut finding = rule.finding().at(format!("update {update}")).weigh(Severity::Error, 1.0);
    finding.evidence.extend(stopped.and_then(|end| end.why.clone()));
    if let Some(eval) = eval {
        let (split, at) = (&eval.split, eval.at.update);
        finding = finding.evidence(format!("the loss of `{split}` after update {at} is not finite"));
    }
    let norms: Vec<f64> =
        metrics.steps.iter().map(|step| step.grad_norm).filter(|norm| norm.is_finite()).collect();
    if norms.len() >= 10 {
        let (usual, last) =
            (history::median(&norms), norms[norms.len() - 5..].iter().copied().fold(0.0, f64::max));
        finding = finding.evidence(format!(
            "the largest gradient norm of the five updates before is {last:.2e}, the usual one {usual:.2e}"
        ));
    }
    let finding = finding.because(
        "the numbers left the range that 32-bit floats have; look at the causes that are named beside this",
        "the run goes on when it is resumed from its last checkpoint",
    );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_run_that_ended_in_nan() {
        let stopped = learning(100).diverged(NOT_FINITE, "the output of `layer3` is not finite for `a.jpg`");
        assert!(one(&RULE, &stopped).evidence[0].contains("layer3"));
        assert_eq!(one(&RULE, &run(50, |n| if n < 30 { 1.0 } else { f64::NAN })).place, "update 30");
        silent(&RULE, &learning(100).diverged("LOS102", "far above"));
        silent(&RULE, &learning(100));
        silent(&RULE, &learning(100).skipped(|n| n < 3));
    }

    use luthier_plan::watch::NOT_FINITE;
}
