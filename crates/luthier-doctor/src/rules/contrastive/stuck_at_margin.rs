//! # CON104 triplets-at-the-margin
//!
//! ## What it finds
//! A triplet loss that stays at its margin: all embeddings have become one point.
//!
//! ## Why it hurts
//! Where all distances are 0, every triplet costs the margin, whatever the pictures. The distance has no slope there, so
//! that no gradient brings embeddings apart again: the run goes on and nothing moves.
//!
//! ## How it is measured
//! Over the last fifth of the updates the loss is within 2 % of the margin (ln 2 where it is soft), nine triplets of ten are
//! active, and the last look found the spread of the embeddings below a quarter of an even one, where there was a look.
//!
//! ## Example
//! ```toml
//! [contrastive]
//! loss = ["triplet"]
//! triplet = { mining = "batch-hard" }
//! [optim]
//! type = "SGD"
//! lr = 1.0
//! ```
//!
//! ## Fix
//! Semi-hard negatives; a tenth of the learning rate and a warm-up; a start from pretrained weights.
//!
//! ## When it is wrong
//! At the beginning: a random encoder gives all pictures about one embedding, and the hardest triplets pull it together
//! before they pull it apart.
//!
//! ## Source
//! Schroff et al. 2015: the hardest negatives lead to a collapsed model early on; Hermans et al. 2017 on the loss that sits
//! at the margin.

use luthier_recipe::{ContrastiveLoss, Mining, TripletMargin};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity, history, reading};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON104",
    name: "triplets-at-the-margin",
    category: Category::Contrastive,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("stuck_at_margin.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let (Some(run), Some(plan)) = (facts.run, facts.plan) else { return Vec::new() };
    let asked = plan.recipe.contrastive.as_ref().and_then(|asked| asked.triplet.as_ref());
    let Some(asked) = asked.filter(|_| plan.recipe.contrasts().contains(&ContrastiveLoss::Triplet)) else {
        return Vec::new();
    };
    let margin = match asked.margin {
        TripletMargin::Hinge(margin) => margin,
        TripletMargin::Soft(_) => std::f64::consts::LN_2,
    };
    let all: Vec<(f64, f64)> = run
        .metrics
        .steps
        .iter()
        .filter_map(|step| step.tasks.iter().find(|task| task.head == "triplet"))
        .filter_map(|task| Some((task.loss, task.active.filter(|_| task.barren == 0)?)))
        .collect();
    let end = &all[all.len() - all.len() / 5..];
    if end.len() < 10 {
        return Vec::new();
    }
    let loss = history::mean(&end.iter().map(|(loss, _)| *loss).collect::<Vec<_>>());
    let active = history::mean(&end.iter().map(|(_, active)| *active).collect::<Vec<_>>());
    let soft = matches!(asked.margin, TripletMargin::Soft(_));
    let last = run.metrics.embeddings.last();
    let spread = last.is_some_and(|look| look.std >= 0.25 * look.even_std);
    // of a soft margin, half of the triplets of one point are active by rounding
    if (loss - margin).abs() > 0.02 * margin || !soft && active < 0.9 || spread {
        return Vec::new();
    }
    let mut finding =
        rule.finding().at("contrastive.triplet.mining").weigh(Severity::Error, 0.9).evidence(format!(
            "over the last {} updates the loss is {loss:.4}, and triplets of one point cost {margin:.4}",
            end.len()
        ));
    if let Some(look) = last {
        finding = finding.evidence(format!(
            "the standard deviation of the embeddings is {:.0} % of an even spread",
            100.0 * look.std / look.even_std
        ));
    }
    finding = finding.because(
        "all pictures have about one embedding, and the distance has no slope there",
        "the loss leaves the margin in a longer run, and the nearest neighbours tell classes apart",
    );
    vec![match asked.mining {
        Mining::BatchHard => finding
            .fix("negatives that are not the hardest", [("contrastive.triplet.mining", json!("semi-hard"))]),
        Mining::SemiHard => finding.fix(
            "a tenth of the rate",
            [(reading::rate_key(plan), json!(history::short(plan.recipe.optim.lr / 10.0)))],
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sample::*;
    use crate::testing::{CONTRAST, Subject, TRIPLETS, World};

    fn seen(made: &Made, sets: &[&str]) -> Vec<Finding> {
        let subject = Subject::new(TRIPLETS, sets, &World::default());
        found(&RULE, made, Some(&subject.plan))
    }

    #[test]
    fn a_loss_that_sits_at_the_margin_is_found() {
        let stuck = |margin: f64| run(200, move |n| margin + 0.001 * normal(n)).triplets(|_| (1.0, 1.0));
        let point = [(1e-6, -0.01, 0.001); 2];
        let found = seen(&stuck(0.2).embeddings(&point), &[]);
        assert_eq!(found[0].fix.as_ref().unwrap().patch["contrastive.triplet.mining"], json!("semi-hard"));
        assert!(found[0].evidence[1].contains("1 % of an even spread"), "{found:?}");
        // nobody looked
        assert_eq!(seen(&stuck(0.2), &[]).len(), 1);
        let semi = seen(&stuck(0.2), &["contrastive.triplet.mining=semi-hard"]);
        assert!(semi[0].fix.as_ref().unwrap().patch.contains_key("optim.lr"), "{semi:?}");
        let soft = ["contrastive.triplet.margin=soft"];
        assert_eq!(seen(&stuck(std::f64::consts::LN_2), &soft).len(), 1);
        // hard triplets that cost about the margin, of embeddings that are spread
        assert!(seen(&stuck(0.2).embeddings(&[(0.1, -2.0, 0.06); 2]), &[]).is_empty());
        // a run that learns, and one that has just begun
        assert!(seen(&learning(200).triplets(|n| (1.0, 1.0 / n as f64)), &[]).is_empty());
        assert!(seen(&run(30, |_| 0.2).triplets(|_| (1.0, 1.0)), &[]).is_empty());
        // another loss that happens to be 0.2
        let subject = Subject::new(CONTRAST, &[], &World::default());
        assert!(
            super::look(
                &RULE,
                &Facts { run: Some(&stuck(0.2).0), plan: Some(&subject.plan), ..Facts::default() }
            )
            .is_empty()
        );
    }
}
