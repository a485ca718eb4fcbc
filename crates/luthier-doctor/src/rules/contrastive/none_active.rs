//! # CON105 no-active-triplets
//!
//! ## What it finds
//! A triplet run whose batches are all far enough apart, while new pictures are not: there is nothing left to mine.
//!
//! ## Why it hurts
//! The loss is 0 and so is its gradient. What is not learned by then will not be: the margin is too small for classes to keep
//! apart on pictures that were not learned from, or the training pictures are known by heart.
//!
//! ## How it is measured
//! Over the last fifth of the updates at most 1 % of the mined triplets are active, and at the last look the nearest
//! neighbours are right for less than 90 % of the validation samples.
//!
//! ## Example
//! ```toml
//! [contrastive]
//! loss = ["triplet"]
//! triplet = { margin = 0.01, mining = "semi-hard" }
//! ```
//!
//! ## Fix
//! The hardest triplets instead of the semi-hard ones; else twice the margin. More augmentation where that is known by heart.
//!
//! ## When it is wrong
//! A run that has learned all there is ends like this, too: its nearest neighbours are right nearly always, and then nothing
//! is said.
//!
//! ## Source
//! Schroff et al. 2015; Hermans et al. 2017 on triplets that are trivial after a while, and the share of active ones as
//! what to look at.

use luthier_recipe::{ContrastiveLoss, Mining, TripletMargin};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity, history};

/// From here on the neighbours are right nearly always.
const LEARNED: f64 = 0.9;

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON105",
    name: "no-active-triplets",
    category: Category::Contrastive,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("none_active.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(metrics) = facts.run.map(|run| &run.metrics) else { return Vec::new() };
    let tasks = metrics.steps.iter().filter_map(|step| step.tasks.iter().find(|task| task.head == "triplet"));
    let all: Vec<f64> = tasks.filter(|task| task.barren == 0).filter_map(|task| task.active).collect();
    let end = &all[all.len() - all.len() / 5..];
    let knn = metrics.embeddings.last().and_then(|look| look.knn);
    let (Some(knn), true) = (knn.filter(|knn| *knn < LEARNED), end.len() >= 10) else { return Vec::new() };
    let active = history::mean(end);
    if active > 0.01 {
        return Vec::new();
    }
    let since = all.len() - all.iter().rev().take_while(|active| **active <= 0.01).count() + 1;
    let finding = rule
        .finding()
        .at("contrastive.triplet.margin")
        .weigh(Severity::Warning, 0.8)
        .evidence(format!(
            "{:.1} % of the triplets of the last {} updates are active, at most 1 % since update {since}",
            active * 100.0,
            end.len()
        ))
        .evidence(format!(
            "the nearest neighbours are right for {:.1} % of the validation samples",
            knn * 100.0
        ))
        .because(
            "the classes of the training pictures are far enough apart, and nothing is left to learn from",
            "the neighbours' accuracy still rises",
        );
    let plan = facts.plan.filter(|plan| plan.recipe.contrasts().contains(&ContrastiveLoss::Triplet));
    let asked = plan.and_then(|plan| plan.recipe.contrastive.as_ref()?.triplet.as_ref());
    vec![match asked {
        Some(asked) if asked.mining == Mining::SemiHard => finding
            .fix("the hardest triplets of each batch", [("contrastive.triplet.mining", json!("batch-hard"))]),
        Some(asked) => match asked.margin {
            TripletMargin::Hinge(margin) if 2.0 * margin < asked.distance.largest() => finding.fix(
                "twice the margin",
                [("contrastive.triplet.margin", json!(history::short(2.0 * margin)))],
            ),
            _ => finding,
        },
        None => finding,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sample::*;
    use crate::testing::{Subject, TRIPLETS, World};

    #[test]
    fn nothing_left_to_mine_is_told_apart_from_all_learned() {
        let spent = || learning(200).triplets(|n| (1.0, if n > 80 { 0.0 } else { 0.8 }));
        let looks = [(0.1, -2.0, 0.08); 4];
        let plan = |sets: &[&str]| Subject::new(TRIPLETS, sets, &World::default()).plan;
        let seen = |knn: &[f64], sets: &[&str]| {
            found(&RULE, &spent().embeddings(&looks).neighbours(knn), Some(&plan(sets)))
        };
        let half = seen(&[0.3, 0.5, 0.6, 0.6], &[]);
        assert!(half[0].evidence[0].contains("since update 81"), "{half:?}");
        assert_eq!(half[0].fix.as_ref().unwrap().patch["contrastive.triplet.margin"], json!(0.4));
        let semi = seen(&[0.3, 0.5, 0.6, 0.6], &["contrastive.triplet.mining=semi-hard"]);
        assert_eq!(semi[0].fix.as_ref().unwrap().patch["contrastive.triplet.mining"], json!("batch-hard"));
        // a healthy run ends with no active triplets, too
        assert!(seen(&[0.3, 0.7, 0.95, 0.99], &[]).is_empty());
        // some are left
        let busy = learning(200).triplets(|_| (1.0, 0.1)).embeddings(&looks).neighbours(&[0.5; 4]);
        silent(&RULE, &busy);
        // nobody knows what the embeddings are worth
        silent(&RULE, &spent());
        silent(&RULE, &learning(200));
    }
}
