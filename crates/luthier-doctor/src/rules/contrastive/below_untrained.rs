//! # CON103 below-untrained
//!
//! ## What it finds
//! Pretraining whose features tell classes apart no better than the encoder's random ones did.
//!
//! ## Why it hurts
//! The loss falls by something else than what pictures show: by what the keys of a batch have in common, by how old a key is,
//! by a corner that both views keep. Fine-tuning from such weights is fine-tuning from random ones.
//!
//! ## How it is measured
//! The nearest neighbours' accuracy at the last look against that before the first update, after at least four looks; a
//! warning where it is not above it by two standard errors of a share among the samples that were asked.
//!
//! ## Example
//! ```toml
//! task = "contrastive"
//! [optim]
//! type = "SGD"
//! lr = 0.06      # with batches of 64, where it is usual for 512
//! ```
//!
//! ## Fix
//! The batch's other keys as candidates too (`in_batch = true`): then age tells nothing. Where that is so already, a third of
//! the rate, and longer.
//!
//! ## When it is wrong
//! Early in a run: accuracies often fall before they rise. Where the classes are something that the views hide on purpose, as
//! colours are behind a strong jitter.
//!
//! ## Source
//! He et al. 2020, figure 2 and section 3.3, on keys that change too fast; Wu et al. 2018 on neighbours as a measure.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON103",
    name: "below-untrained",
    category: Category::Contrastive,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("below_untrained.rs"),
    look,
};

/// Looks after training began.
const LOOKS: usize = 4;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let (Some(run), Some(plan)) = (facts.run, facts.plan) else { return Vec::new() };
    let [first, trained @ ..] = run.metrics.embeddings.as_slice() else { return Vec::new() };
    if first.at.update != 0 || trained.len() < LOOKS {
        return Vec::new();
    }
    let (Some(untrained), Some(last), Some(asked)) =
        (first.knn, trained.last().and_then(|look| look.knn), plan.data.split("valid"))
    else {
        return Vec::new();
    };
    let samples = asked.samples.len().max(1) as f64;
    let error = (untrained * (1.0 - untrained) / samples).sqrt();
    if last >= untrained + 2.0 * error {
        return Vec::new();
    }
    let mut finding = rule.finding().at("optim.lr").weigh(Severity::Warning, 0.7).evidence(format!(
        "the nearest neighbours are right for {:.1} % of {samples} samples, and were for {:.1} % before the first update",
        last * 100.0,
        untrained * 100.0
    ));
    let in_batch = plan.recipe.contrastive.as_ref().is_some_and(|contrastive| contrastive.in_batch);
    // contrasts by class have no queue whose keys could be told by their age
    let (words, key, value) = if in_batch || plan.recipe.contrasts_in_batch() {
        ("a third of the rate", reading::rate_key(plan), json!(plan.recipe.optim.lr / 3.0))
    } else {
        ("the batch's other keys as candidates too", "contrastive.in_batch", json!(true))
    };
    finding = finding
        .because(
            "pairs are found by something that their pictures do not show",
            "the accuracy rises above the untrained encoder's in the next epochs",
        )
        .fix(words, [(key, value)]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;
    use crate::testing::{CONTRAST, Subject, World};

    fn with(knn: &[f64], sets: &[&str]) -> Vec<crate::Finding> {
        let made = flat(100).neighbours_since_start(knn);
        let subject = Subject::new(CONTRAST, sets, &World::default());
        found(&RULE, &made, Some(&subject.plan))
    }

    #[test]
    fn features_that_are_worth_no_more_than_random_ones_are_told() {
        let one = &with(&[0.26, 0.2, 0.19, 0.2, 0.2], &[])[0];
        assert!(one.evidence[0].contains("right for 20.0 % of 300 samples, and were for 26.0 %"), "{one:?}");
        assert!(one.fix.as_ref().unwrap().patch.contains_key("contrastive.in_batch"));
        let slower = &with(&[0.26, 0.2, 0.19, 0.2, 0.2], &["contrastive.in_batch=true"])[0];
        assert!(slower.fix.as_ref().unwrap().patch.contains_key("optim.lr"), "{slower:?}");
        let by_class = &with(&[0.26, 0.2, 0.19, 0.2, 0.2], &["contrastive={ loss = [\"sup_con\"] }"])[0];
        assert!(by_class.fix.as_ref().unwrap().patch.contains_key("optim.lr"), "{by_class:?}");
        // worth more; too early to say; a run that began without a look
        assert!(with(&[0.26, 0.2, 0.3, 0.35, 0.4], &[]).is_empty());
        assert!(with(&[0.26, 0.2, 0.19], &[]).is_empty());
        assert!(found(&RULE, &flat(100).embeddings(&[(0.1, -1.0, 0.05); 6]), None).is_empty());
    }
}
