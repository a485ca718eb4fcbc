//! # EVA101 constant-validation
//!
//! ## What it finds
//! A validation loss that is the same to the last digit, time after time, while the run trains.
//!
//! ## Why it hurts
//! What is evaluated is not what is trained: weights that do not move, another copy of them, or outputs that do not
//! depend on them.
//!
//! ## How it is measured
//! At least three evaluations of the whole split after different updates have one and the same loss, and the training
//! loss is not one and the same.
//!
//! ## Example
//! ```toml
//! [train]
//! ema = { decay = 0.9999999999 }
//! ```
//!
//! ## Fix
//! Find out which weights are evaluated; an average needs a decay that fits the number of updates.
//!
//! ## When it is wrong
//! When the learning rate is 0 between the evaluations.
//!
//! ## Source
//! Bits do not repeat by chance.

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "EVA101",
    name: "constant-validation",
    category: Category::Evaluation,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("constant_valid.rs"),
    look,
};

/// Change of the weights by an update, as a share of them, that shows in the digits of a loss.
const MOVING: f64 = 1e-5;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let evals = history::valid(&run.metrics);
    let Some(last) = evals.last() else { return Vec::new() };
    let same: Vec<u64> =
        evals.iter().rev().take_while(|eval| eval.loss == last.loss).map(|eval| eval.at.update).collect();
    let updates = same.first().zip(same.last()).map_or(0, |(last, first)| last - first);
    let losses = history::losses(&run.metrics);
    let moves = losses.windows(2).any(|pair| pair[0] != pair[1]);
    if same.len() < 3 || updates == 0 || !moves || !last.loss.is_finite() {
        return Vec::new();
    }
    let moved = history::ratio_since(run, last.at.update - updates);
    // weights that hardly move, at the end of a schedule or of a fit, leave a loss where it is
    if moved.is_some_and(|ratio| ratio < MOVING) {
        return Vec::new();
    }
    let mut finding = rule.finding().at("valid.loss").weigh(Severity::Error, 0.95).evidence(format!(
        "the last {} evaluations, over {updates} updates, all have a loss of {}",
        same.len(),
        last.loss
    ));
    if let Some(ratio) = moved {
        finding = finding.evidence(format!(
            "meanwhile each update changed the trained weights by {ratio:.1e} of their length"
        ));
    }
    vec![finding.because(
        "the weights that are evaluated are not the ones that are trained, or they do not decide the outputs",
        "the weights of two checkpoints are the same",
    )]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn the_same_to_the_last_digit() {
        assert_eq!(one(&RULE, &learning(200).valid(&[(0.693, 0.5); 4])).code, "EVA101");
        silent(&RULE, &learning(200).valid(&[(0.693, 0.5), (0.692, 0.5), (0.6921, 0.5), (0.69, 0.5)]));
        silent(&RULE, &learning(200).valid(&[(0.693, 0.5), (0.693, 0.5)]));
    }
}
