//! # DAT101 input-not-finite
//!
//! ## What it finds
//! A sample that holds NaN or an infinite number.
//!
//! ## Why it hurts
//! One of them makes the loss of its whole batch NaN, and the run stops.
//!
//! ## How it is measured
//! Where a loss is not finite, the session looks at what went into the network first, and names the row.
//!
//! ## Example
//! ```toml
//! [data]
//! train = "table.csv" # with an empty cell that was read as NaN
//! ```
//!
//! ## Fix
//! Mend the sample, or leave it out with `data.exclude`.
//!
//! ## When it is wrong
//! Never.
//!
//! ## Source
//! IEEE 754: NaN is contagious.

use luthier_plan::watch::BAD_INPUT;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT101",
    name: "input-not-finite",
    category: Category::Data,
    phase: Phase::Online,
    kind: Kind::Cause,
    source: include_str!("bad_input.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let Some(end) = run.metrics.end.as_ref().filter(|end| end.rule.as_deref() == Some(BAD_INPUT)) else {
        return Vec::new();
    };
    let mut finding = rule.finding().at(format!("update {}", end.at.update + 1)).weigh(Severity::Error, 1.0);
    finding.evidence.extend(end.why.clone());
    vec![finding.because(
        "the data hold what is no number, and one such sample spoils the batch that it is in",
        "without the sample the run stops at the same update",
    )]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn the_session_found_the_sample() {
        let stopped =
            learning(30).diverged("DAT101", "the input `table.csv:31` holds numbers that are not finite");
        assert!(one(&RULE, &stopped).evidence[0].contains("table.csv:31"));
        silent(&RULE, &learning(30).diverged("LOS101", "the loss is not finite"));
    }
}
