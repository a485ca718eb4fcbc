//! # LOS103 flat-loss
//!
//! ## What it finds
//! A run whose loss did not fall.
//!
//! ## Why it hurts
//! It learned nothing. Why, the causes beside this say.
//!
//! ## How it is measured
//! First third against last third of the updates: the change is within three standard errors or a hundredth, and the
//! loss is still above half of what a model that knows nothing has. A plateau after a fall is none: part of every
//! loss is noise of the labels, and stays.
//!
//! ## Example
//! ```toml
//! [optim]
//! lr = 1e-7
//! ```
//!
//! ## Fix
//! Remove the cause.
//!
//! ## When it is wrong
//! For a model that had learned everything before. Of embeddings whose nearest neighbours get better nothing is said.
//!
//! ## Source
//! Zhang et al. 2021 (AutoTrainer) call it slow convergence; here relative to the run's own noise.

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS103",
    name: "flat-loss",
    category: Category::Loss,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("flat.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let losses = history::losses(&run.metrics);
    let Some(course) = history::course(&losses).filter(|_| losses.len() >= 40) else { return Vec::new() };
    let (start, end) = (history::start(&losses), history::end(&losses));
    // as embeddings get better, mined triplets get harder: the loss of a contrast need not fall
    let looks = &run.metrics.embeddings;
    if let (Some(first), Some(last)) =
        (looks.first().and_then(|look| look.knn), looks.last().and_then(|look| look.knn))
        && last > first + 0.1
    {
        return Vec::new();
    }
    // a fall within the first few updates is a fall, too
    let low = history::chance(facts).is_some_and(|chance| end < 0.5 * chance);
    if course.falls() || end < 0.9 * start || low {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("train.loss")
        .weigh(Severity::Warning, 0.85)
        .evidence(format!(
            "from the first third of {} updates to the last the loss changed by {:+.4} ± {:.4}, from {start:.4}",
            losses.len(),
            course.change(),
            course.error
        ))
        .because(
            "nothing was learned; look at the causes beside this",
            "a longer run falls by more than its noise",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn a_loss_that_does_not_fall() {
        assert!(one(&RULE, &flat(200)).symptom);
        silent(&RULE, &learning(200));
        // a fifth of the labels is noise: down to 1.1, and there it stays
        silent(&RULE, &run(400, |n| 1.1 + 1.2 * (-(n as f64) / 20.0).exp() + 0.1 * normal(n)));
        // mined triplets get harder while neighbours get better
        let looks = [(0.1, -2.0, 0.06); 4];
        silent(&RULE, &flat(200).embeddings(&looks).neighbours(&[0.3, 0.4, 0.6, 0.7]));
        assert!(one(&RULE, &flat(200).embeddings(&looks).neighbours(&[0.3; 4])).symptom);
        // one sample a batch
        silent(&RULE, &run(2000, |n| (2.0 * normal(n) - n as f64 / 500.0).exp()));
    }
}
