//! # CON102 collapsed-embeddings
//!
//! ## What it finds
//! Embeddings that have become one point, or a line: all pictures look alike to the encoder.
//!
//! ## Why it hurts
//! Nothing can be told apart by such embeddings, and no gradient brings them apart again.
//!
//! ## How it is measured
//! The standard deviation of the normalised embeddings, the mean over their numbers, against 1/√d, what it is where they
//! are spread evenly. An error where the last look says less than a tenth of it, a warning below a quarter. Not asked
//! after the first epoch, nor while they are more than twice as wide as before the first update and still spreading.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "LAMB"
//! lr = 0.5
//! exclude = []
//! ```
//!
//! ## Fix
//! A tenth of the learning rate and a warm-up; a longer queue where it holds a few batches only.
//!
//! ## When it is wrong
//! In the first epoch: random encoders give all pictures about one embedding.
//!
//! ## Source
//! Chen & He 2021 (SimSiam).

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON102",
    name: "collapsed-embeddings",
    category: Category::Contrastive,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("collapsed.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let looks = facts.run.map_or(&[][..], |run| run.metrics.embeddings.as_slice());
    let (untrained, trained) =
        looks.split_at(usize::from(looks.first().is_some_and(|look| look.at.update == 0)));
    let [.., before, last] = trained else { return Vec::new() };
    let wider = untrained.first().is_some_and(|start| last.std > 2.0 * start.std);
    if wider && last.std > before.std {
        return Vec::new();
    }
    let share = last.std / last.even_std;
    let severity = match share {
        share if share < 0.1 => Severity::Error,
        share if share < 0.25 => Severity::Warning,
        _ => return Vec::new(),
    };
    let mut finding = rule
        .finding()
        .at("optim.lr")
        .weigh(severity, 0.9)
        .evidence(format!(
            "after {} updates the standard deviation of the embeddings is {:.4}, {:.0} % of the {:.4} of an even spread",
            last.at.update,
            last.std,
            share * 100.0,
            last.even_std
        ))
        .evidence(format!("uniformity is {:.2}; it is 0 for one point", last.uniformity))
        .because("all pictures have about one embedding", "nearest neighbours tell classes apart well above chance");
    if let Some(plan) = facts.plan {
        let lr = plan.recipe.optim.lr / 10.0;
        finding = finding.fix("a tenth of the rate", [(reading::rate_key(plan), json!(lr))]);
    }
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::Severity;
    use crate::rules::sample::*;

    #[test]
    fn one_point_is_found_and_an_even_spread_is_not() {
        let rows =
            [(0.002, Some(Severity::Error)), (0.018, Some(Severity::Warning)), (0.06, None), (0.088, None)];
        for (std, expected) in rows {
            let made = flat(100).embeddings(&[(0.05, -1.0, 0.03), (0.02, -0.1, std)]);
            let severity = found(&RULE, &made, None).first().map(|finding| finding.severity);
            assert_eq!(severity, expected, "{std}");
        }
        // a random encoder, before anything is learned
        silent(&RULE, &flat(100).embeddings(&[(0.02, -0.1, 0.002)]));
        silent(&RULE, &flat(100));
    }

    #[test]
    fn embeddings_that_still_spread_are_no_collapse() {
        let spreading = [(0.05, -0.2, 0.006), (0.05, -0.3, 0.008)];
        silent(&RULE, &flat(100).embeddings(&spreading).untrained(0.001));
        // no wider than at random, or narrower than an epoch ago
        one(&RULE, &flat(100).embeddings(&spreading).untrained(0.005));
        one(&RULE, &flat(100).embeddings(&[(0.05, -0.3, 0.008), (0.05, -0.2, 0.006)]).untrained(0.001));
        // after one epoch there is nothing to say
        silent(&RULE, &flat(100).embeddings(&[(0.02, -0.1, 0.002)]).untrained(0.005));
    }
}
