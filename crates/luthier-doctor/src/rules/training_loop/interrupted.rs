//! # LOO101 interrupted
//!
//! ## What it finds
//! A run that did not come to its end: it was killed, or asked to stop.
//!
//! ## Why it hurts
//! What it says is about the part that ran.
//!
//! ## How it is measured
//! The metrics have no end, or an end that says so.
//!
//! ## Example
//! ```toml
//! [train]
//! epochs = 100
//! ```
//!
//! ## Fix
//! `luthier train --resume RUN` goes on to the last bit as if nothing had been.
//!
//! ## When it is wrong
//! When it is still running.
//!
//! ## Source
//! The run directory.

use luthier_plan::Outcome;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOO101",
    name: "interrupted",
    category: Category::Loop,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("interrupted.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let outcome = run.metrics.end.as_ref().map(|end| end.outcome);
    let what = match outcome {
        None => "has no end: it was killed, or is still running",
        Some(Outcome::Interrupted) => "was asked to stop",
        Some(_) => return Vec::new(),
    };
    let update = run.metrics.steps.last().map_or(0, |step| step.at.update);
    let of = facts.plan.map_or(String::new(), |plan| format!(" of {}", plan.length.updates));
    let finding = rule
        .finding()
        .at(format!("update {update}"))
        .weigh(Severity::Info, 1.0)
        .evidence(format!("the run {what}; it came to update {update}{of}"))
        .because("the findings are about the part that ran", "the run is still going on");
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_run_without_an_end() {
        assert_eq!(one(&RULE, &learning(37).killed()).place, "update 37");
        silent(&RULE, &learning(37));
    }
}
