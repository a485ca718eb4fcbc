//! # CON101 contrast-without-work
//!
//! ## What it finds
//! A contrastive run whose pairs are found without learning: the instance accuracy is at 100 % and two views of a sample
//! have one embedding.
//!
//! ## Why it hurts
//! The loss is near 0 and teaches nothing more. What the encoder has learned is a shortcut: pixels that both views share,
//! or a trace that is in both.
//!
//! ## How it is measured
//! Over the last fifth of the updates the instance accuracy is 99.9 % or more, and at the last look the mean squared
//! distance of two views (alignment) is below a thousandth of what unrelated embeddings have: 2 where they are spread
//! evenly, less where they lie closer together.
//!
//! ## Example
//! ```toml
//! task = "contrastive"
//! [data.transform]
//! train = [{ op = "Resize", size = [64, 64] }]
//! ```
//!
//! ## Fix
//! Views that differ: crop, colour, blur, flip.
//!
//! ## When it is wrong
//! Where a handful of pictures is learned by heart on purpose.
//!
//! ## Source
//! Reports of MoCo runs with an accuracy of 100 % and nearest neighbours at chance; Doersch et al. 2015 on shortcuts.

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON101",
    name: "contrast-without-work",
    category: Category::Contrastive,
    phase: Phase::Posthoc,
    kind: Kind::Symptom,
    source: include_str!("same_views_run.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(metrics) = facts.run.map(|run| &run.metrics) else { return Vec::new() };
    let Some(last) = metrics.embeddings.last() else { return Vec::new() };
    let shares: Vec<f64> = metrics
        .steps
        .iter()
        .filter_map(|step| step.tasks.iter().find(|task| task.head == "info_nce").map(|task| task.accuracy))
        .collect();
    let end = &shares[shares.len() - shares.len() / 5..];
    if end.len() < 4 {
        return Vec::new();
    }
    let accuracy = end.iter().sum::<f64>() / end.len() as f64;
    let unrelated = 2.0 * (last.std / last.even_std).powi(2);
    if accuracy < 0.999 || last.alignment >= 5e-4 * unrelated {
        return Vec::new();
    }
    let reached = shares.iter().position(|share| *share >= 0.999).unwrap_or(0) + 1;
    let mut finding = rule
        .finding()
        .at("data.transform.train")
        .weigh(Severity::Error, 0.9)
        .evidence(format!("the instance accuracy is {:.1} %, since update {reached}", accuracy * 100.0))
        .evidence(format!(
            "two views of a sample are {:.1e} apart, unrelated embeddings {unrelated:.2}",
            last.alignment
        ));
    if let (Some(first), Some(knn)) = (metrics.embeddings.first().and_then(|look| look.knn), last.knn) {
        finding = finding.evidence(format!(
            "meanwhile the nearest neighbours went from {:.1} % to {:.1} %",
            first * 100.0,
            knn * 100.0
        ));
    }
    vec![finding.because(
        "the right candidate is found by what both views share, not by what the picture shows",
        "the two views of one sample look different to a person",
    )]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn an_accuracy_of_one_with_equal_views_is_found() {
        let same = [(1e-9, -2.0, 0.08); 2];
        let finding = one(&RULE, &flat(100).instances(|update| f64::from(update > 3)).embeddings(&same));
        assert!(finding.evidence[0].contains("100.0 %, since update"), "{finding:?}");
        // views that differ, and an accuracy that rises
        silent(&RULE, &flat(100).instances(|_| 1.0).embeddings(&[(0.2, -2.0, 0.08); 2]));
        silent(&RULE, &flat(100).instances(|update| update as f64 / 120.0).embeddings(&same));
        // a small encoder, whose embeddings all lie close together, views closer still
        silent(&RULE, &flat(100).instances(|_| 1.0).embeddings(&[(5e-4, -0.1, 0.01); 2]));
        silent(&RULE, &flat(100));
    }
}
