//! # EVA104 class-never-predicted
//!
//! ## What it finds
//! Classes that the model never answers, although it tells others apart.
//!
//! ## Why it hurts
//! Their samples are all wrong. Labels that are off by one, a head without enough outputs, a class too rare to be
//! learned.
//!
//! ## How it is measured
//! In the confusion matrix of the last evaluation a class with at least five samples is never guessed, while the
//! accuracy is above twice chance.
//!
//! ## Example
//! ```toml
//! [loss]
//! class_weights = [1.0, 0.0, 1.0]
//! ```
//!
//! ## Fix
//! Look at the class's labels and samples; weigh it, or give it more samples.
//!
//! ## When it is wrong
//! When two classes cannot be told apart and one is more frequent.
//!
//! ## Source
//! The confusion matrix.

use super::{class_name, shares};
use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "EVA104",
    name: "class-never-predicted",
    category: Category::Evaluation,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("class_never_guessed.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let Some(last) = history::valid(&run.metrics).last().copied() else { return Vec::new() };
    let (truths, guesses) = shares(&last.confusion);
    let never: Vec<usize> =
        (0..truths.len()).filter(|class| truths[*class] >= 5 && guesses[*class] == 0).collect();
    let guessed = guesses.iter().filter(|count| **count > 0).count();
    let learned = history::right(last) > (2.0 / truths.len().max(1) as f64).min(0.5);
    let (Some(first), true) = (never.first(), guessed >= 2 && learned) else { return Vec::new() };
    let names: Vec<String> =
        never.iter().take(5).map(|class| format!("`{}`", class_name(facts, *class))).collect();
    let finding = rule
        .finding()
        .at(format!("class {}", class_name(facts, *first)))
        .weigh(Severity::Warning, 0.8)
        .evidence(format!(
            "{} of {} classes were never guessed: {} ({} samples of the first)",
            never.len(),
            truths.len(),
            names.join(", "),
            truths[*first]
        ))
        .because(
            "the model has no use for the class: it is rare, it looks like another, or its labels are not its own",
            "more samples of the class, or a weight for it, leave it as it is",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_class_without_a_guess() {
        let none = learning(200).valid(&[(0.4, 0.66)]);
        assert_eq!(
            one(&RULE, &none.clone().confusion(&[&[30, 0, 0], &[0, 30, 0], &[10, 20, 0]])).place,
            "class 2"
        );
        silent(&RULE, &none.clone().confusion(&[&[30, 0, 0], &[0, 30, 0], &[10, 19, 1]]));
        // three samples prove nothing
        silent(&RULE, &none.confusion(&[&[30, 0, 0], &[0, 30, 0], &[1, 2, 0]]));
    }
}
