//! # REG101 overfit
//!
//! ## What it finds
//! A model that goes on learning its training samples and gets worse at others.
//!
//! ## Why it hurts
//! The last weights are worse than those of an earlier epoch.
//!
//! ## How it is measured
//! The validation loss has risen above its lowest by a tenth, the training loss fell meanwhile, and the validation
//! accuracy of the last two evaluations is below the best by more than twice its sampling error. Where the accuracy
//! holds, the model has only become too sure of itself: information.
//!
//! ## Example
//! ```toml
//! [train]
//! epochs = 100
//! [optim]
//! weight_decay = 0.0
//! ```
//!
//! ## Fix
//! Fewer epochs or early stopping; more data, augmentation, weight decay.
//!
//! ## When it is wrong
//! When validation samples are few: the error of a share of 20 samples is a tenth.
//!
//! ## Source
//! Guo et al. 2017 on loss that rises while accuracy holds.

use serde_json::json;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "REG101",
    name: "overfit",
    category: Category::Regularization,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("overfit.rs"),
    look,
};

/// A training loss below this share of that of guessing is of samples known by heart.
const HEART: f64 = 0.02;
/// A validation loss above this share of it is hardly better than guessing.
const CHANCE: f64 = 0.8;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let evals = history::valid(&run.metrics);
    let low = evals.iter().enumerate().min_by(|a, b| a.1.loss.total_cmp(&b.1.loss));
    let (Some((at, low)), [.., before, last]) = (low, evals.as_slice()) else { return Vec::new() };
    if evals.len() < 4 || at + 2 >= evals.len() || last.loss.min(before.loss) < 1.1 * low.loss {
        return Vec::new();
    }
    let train = |update: u64| run.metrics.epochs.iter().rfind(|epoch| epoch.at.update <= update);
    let (Some(then), Some(now)) = (train(low.at.update), run.metrics.epochs.last()) else {
        return Vec::new();
    };
    if now.loss >= then.loss {
        return Vec::new();
    }
    let best = evals.iter().map(|eval| history::right(eval)).fold(0.0, f64::max);
    let end = f64::midpoint(history::right(before), history::right(last));
    // of a regression the loss is what counts
    let classes = history::classifies(run);
    let falls = !classes || best - end > 3.0 * history::share_error(best, last.count);
    // all of the training samples are known, and next to nothing of the others: it never was better
    let hollow = history::chance(facts).is_some_and(|chance| {
        now.loss < HEART * chance && last.loss.min(before.loss) > CHANCE * chance && classes
    });
    let falls = falls || hollow;
    let (severity, confidence) = if falls { (Severity::Warning, 0.8) } else { (Severity::Info, 0.6) };
    let (meaning, refute) = if falls {
        (
            "the model learns its training samples by heart",
            "on validation samples that were never looked at, the last weights are as good as the best",
        )
    } else {
        (
            "the model answers as well as before and is surer of its wrong answers; nothing is lost but calibration",
            "the accuracy on more validation samples falls",
        )
    };
    let mut finding = rule
        .finding()
        .at("train.epochs")
        .weigh(severity, confidence)
        .evidence(format!(
            "the validation loss was {:.4} after update {} and is {:.4}; the training loss fell from {:.4} to {:.4}",
            low.loss, low.at.update, last.loss, then.loss, now.loss
        ))
        .because(meaning, refute)
        .fix("stop when it no longer improves", [("train.early_stopping", json!({ "patience": 2 }))]);
    if classes {
        finding = finding.evidence(format!(
            "the validation accuracy was {:.1} % at best and is {:.1} % ({} samples)",
            100.0 * best,
            100.0 * end,
            last.count
        ));
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    use crate::Severity;

    #[test]
    fn both_the_loss_and_the_accuracy_get_worse() {
        let sick = [(0.5, 0.80), (0.4, 0.85), (0.5, 0.80), (0.7, 0.72), (0.9, 0.71)];
        assert_eq!(one(&RULE, &learning(250).valid(&sick)).severity, Severity::Warning);
        let sure = [(0.5, 0.80), (0.4, 0.85), (0.5, 0.86), (0.7, 0.86), (0.9, 0.87)];
        assert_eq!(one(&RULE, &learning(250).valid(&sure)).severity, Severity::Info);
        let fine = [(0.5, 0.80), (0.4, 0.85), (0.38, 0.86), (0.39, 0.86), (0.37, 0.87)];
        silent(&RULE, &learning(250).valid(&fine));
    }
}
