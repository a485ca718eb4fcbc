//! # CON004 keys-by-batch-statistics
//!
//! ## What it finds
//! A key encoder whose BatchNorm layers take their statistics from the batch, in one process, while the query encoder's do
//! so as well.
//!
//! ## Why it hurts
//! A query and its key come from the same samples, the keys in the queue from others. BatchNorm gives each batch something
//! in common, and telling batches apart by it is easier than telling pictures apart: the loss falls, the instance accuracy
//! rises, and what single pictures are worth, with running statistics, stays where it was.
//!
//! ## How it is measured
//! From the plan: BatchNorm layers, and `key_norm = "batch"`. A run says whether it has happened: embeddings at its last
//! look are less than a tenth as wide as an even spread, while the instance accuracy is ten times that of guessing or more.
//!
//! ## Example
//! ```toml
//! task = "contrastive"
//! [model]
//! arch = "resnet18"
//! [contrastive]
//! key_norm = "batch"
//! ```
//!
//! ## Fix
//! `key_norm = "ema"`: running statistics that follow the query encoder's; a key then depends on its own picture alone. Or
//! several processes, which shuffle the pictures between them before keys are made, as MoCo's do; or norms that know no batch.
//!
//! ## When it is wrong
//! Where the batch has thousands of samples its statistics are about the same every time.
//!
//! ## Source
//! He et al. 2020, section 3.3 (shuffling BN); Cai et al. 2021 (EMAN).

use luthier_recipe::KeyNorm;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, RunFacts, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "CON004",
    name: "keys-by-batch-statistics",
    category: Category::Contrastive,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("batch_statistics.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(asked) = plan.recipe.contrastive.as_ref().filter(|asked| asked.key_norm == KeyNorm::Batch)
    else {
        return Vec::new();
    };
    let layers = plan.model.tensors.iter().filter(|tensor| tensor.name.ends_with(".running_mean")).count();
    // several processes shuffle their pictures before keys are made
    if layers == 0 || plan.ranks > 1 {
        return Vec::new();
    }
    let seen = facts.run.and_then(|run| happened(run, asked.queue()));
    let (severity, certainty) =
        if seen.is_some() { (Severity::Error, 0.95) } else { (Severity::Warning, 0.8) };
    let batch = plan.recipe.train.batch_size;
    let mut finding = rule.finding().at("contrastive.key_norm").weigh(severity, certainty).evidence(format!(
        "{layers} BatchNorm layers of both encoders take their statistics from the same {batch} samples"
    ));
    if let Some(seen) = seen {
        finding = finding.evidence(seen);
    }
    vec![
        finding
            .because(
                "a query finds its key by what their batch has in common, not by what the pictures show",
                "the loss falls more slowly, and the nearest neighbours' accuracy rises",
            )
            .fix(
                "running statistics that follow the query encoder's",
                [("contrastive.key_norm", json!("ema"))],
            ),
    ]
}

/// What a run shows of it.
fn happened(run: &RunFacts, queue: u64) -> Option<String> {
    let last = run.metrics.embeddings.last()?;
    let share = last.std / last.even_std;
    let accuracy = run
        .metrics
        .epochs
        .last()
        .and_then(|epoch| epoch.tasks.iter().find(|task| task.head == "info_nce"))
        .map(|task| task.accuracy)?;
    let guessing = 1.0 / (queue + 1) as f64;
    (share < 0.1 && accuracy > 10.0 * guessing).then(|| {
        format!(
            "while it trains it finds {:.1} % of the pairs, {:.0} times as many as guessing; with running statistics its \
             embeddings are {:.1} % as wide as an even spread",
            accuracy * 100.0,
            accuracy / guessing,
            share * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn with(sets: &[&str]) -> Vec<Finding> {
        Subject::new(CONTRAST, sets, &World::default()).look(&RULE)
    }

    #[test]
    fn statistics_of_the_batch_on_both_sides_are_named() {
        let found = with(&["contrastive.key_norm=batch"]);
        assert!(found[0].evidence[0].contains("take their statistics from the same 64 samples"), "{found:?}");
        assert_eq!(found[0].fix.as_ref().unwrap().patch["contrastive.key_norm"], json!("ema"));
        assert!(with(&[]).is_empty());
        // several processes shuffle
        let mut shuffled = Subject::new(CONTRAST, &["contrastive.key_norm=batch"], &World::default());
        shuffled.plan.ranks = 2;
        assert!(shuffled.look(&RULE).is_empty());
        assert!(Subject::new(PICTURES, &[], &World::default()).look(&RULE).is_empty());
    }
}
