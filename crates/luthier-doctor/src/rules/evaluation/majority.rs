//! # EVA103 majority-share
//!
//! ## What it finds
//! A classifier that gives one answer to everything.
//!
//! ## Why it hurts
//! Its accuracy is the share of the most frequent class, which can look good: 87 % of all messages are no spam.
//!
//! ## How it is measured
//! In the confusion matrix of the last evaluation all guesses are one class, and there are samples of two classes at
//! least.
//!
//! ## Example
//! ```toml
//! [data]
//! # 87 % of the labels are `ham`
//! ```
//!
//! ## Fix
//! Find out why it learns nothing; then balance the data or weigh the classes, and look at each class's recall.
//!
//! ## When it is wrong
//! After very few updates.
//!
//! ## Source
//! The confusion matrix.

use super::{class_name, shares};
use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "EVA103",
    name: "majority-share",
    category: Category::Evaluation,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("majority.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let Some(last) = history::valid(&run.metrics).last().copied() else { return Vec::new() };
    let (truths, guesses) = shares(&last.confusion);
    let guessed: Vec<usize> = (0..guesses.len()).filter(|class| guesses[*class] > 0).collect();
    let ([only], true) = (guessed.as_slice(), truths.iter().filter(|count| **count > 0).count() >= 2) else {
        return Vec::new();
    };
    let total: u64 = truths.iter().sum();
    let largest = truths.iter().copied().max().unwrap_or(0);
    let finding = rule
        .finding()
        .at("valid.accuracy")
        .weigh(Severity::Error, 0.9)
        .evidence(format!("all {total} samples were taken for class `{}`", class_name(facts, *only)))
        .evidence(format!(
            "the accuracy is {:.1} %; the most frequent class has {:.1} % of the samples",
            100.0 * history::right(last),
            100.0 * largest as f64 / total as f64
        ))
        .because(
            "the model has found the one answer that costs least, and nothing about its inputs",
            "its probabilities differ between the classes' samples",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn one_answer_to_everything() {
        let one_answer = learning(200).valid(&[(0.4, 0.87)]).confusion(&[&[87, 0], &[13, 0]]);
        assert!(one(&RULE, &one_answer).symptom);
        silent(&RULE, &learning(200).valid(&[(0.4, 0.87)]).confusion(&[&[86, 1], &[12, 1]]));
        silent(&RULE, &learning(200));
    }
}
