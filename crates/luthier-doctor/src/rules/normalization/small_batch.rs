//! # NRM001 batch-norm-small-batch
//!
//! ## What it finds
//! BatchNorm that is trained with batches of one to four samples, or with a last batch of one.
//!
//! ## Why it hurts
//! Mean and deviation of four samples are noise; of one sample the deviation is 0 and the output is the bias
//! whatever came in. The running statistics that evaluation uses are an average of that.
//!
//! ## How it is measured
//! Trained BatchNorm tensors and `train.batch_size`; accumulation does not help, statistics are per batch. Pictures
//! have many pixels per channel, so that four are only a warning there. A lone last sample of a table is an error:
//! training stops at it, in the first epoch. Of several ranks each has its own statistics, unless
//! `distributed.sync_batch_norm` takes them over all.
//!
//! ## Example
//! ```toml
//! [train]
//! batch_size = 2
//! ```
//!
//! ## Fix
//! A batch of 16 or more; `layer_norm`; frozen norms when fine-tuning; `drop_last = true` for a lone sample;
//! `sync_batch_norm = true` where ranks have enough together.
//!
//! ## When it is wrong
//! When pictures are large and the layers with few channels see thousands of places each.
//!
//! ## Source
//! Wu and He 2018, Group Normalization: error of BatchNorm against the batch size.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "NRM001",
    name: "batch-norm-small-batch",
    category: Category::Normalization,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("small_batch.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let trained =
        plan.model.tensors.iter().filter(|tensor| reading::is_batch_norm(plan, tensor) && tensor.trainable);
    let norms = trained.count();
    let (own, samples) = (plan.recipe.train.batch_size, reading::samples(plan, "train"));
    let together = own * plan.ranks.max(1);
    let batch = if plan.recipe.distributed.sync_batch_norm { together } else { own };
    let lone = !plan.recipe.train.drop_last && samples % together == 1 && together > 1;
    if norms == 0 || (batch > 4 && !lone) {
        return Vec::new();
    }
    let rows = plan.recipe.task.reads_rows();
    // of one value per channel there are no statistics: training stops there
    let stops = rows && lone && batch > 4;
    let severity = if batch <= 2 && rows || stops { Severity::Error } else { Severity::Warning };
    let (key, what) = if batch <= 4 {
        ("train.batch_size", format!("statistics are taken over {batch} samples"))
    } else {
        ("train.drop_last", "the last batch of each epoch has one sample".to_owned())
    };
    let finding = rule
        .finding()
        .at(key)
        .weigh(severity, if stops { 0.97 } else { 0.75 })
        .evidence(format!("{norms} tensors of BatchNorm are trained"))
        .evidence(what)
        .because(
            if stops {
                "BatchNorm has one value per channel there to take statistics of, and the run ends with an error"
            } else {
                "mean and deviation of so few samples are noise, and evaluation uses their average"
            },
            "the loss in evaluation mode is that in training mode, on the same samples",
        );
    // of contrasts, what a query and its key had in common would tell them from all others
    let shared = plan.recipe.contrastive.is_none();
    vec![if batch <= 4 && together >= 16 && shared {
        finding.fix("statistics over all ranks", [("distributed.sync_batch_norm", json!(true))])
    } else if batch > 4 {
        finding.fix("leave the lone sample out", [("train.drop_last", json!(true))])
    } else {
        finding.fix("larger batches", [("train.batch_size", json!(samples.clamp(1, 32)))])
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn few_samples_are_found_where_there_is_a_batch_norm() {
        let world = World::default();
        let normed = "model.layers=[{linear=8},{batch_norm=true},{act=\"relu\"},{linear=\"classes\"}]";
        let rows = [
            ("1", Some(Severity::Error)),
            ("4", Some(Severity::Warning)),
            ("5", None),
            ("109", Some(Severity::Error)),
        ];
        for (batch, expected) in rows {
            assert_eq!(
                severity(&RULE, TABLE, &[normed, &format!("train.batch_size={batch}")], &world),
                expected,
                "{batch}"
            );
        }
        assert_eq!(severity(&RULE, TABLE, &["train.batch_size=1"], &world), None);
        let frozen = ["train.batch_size=2", "model.freeze=[\"*bn*\"]"];
        assert_eq!(severity(&RULE, PICTURES, &frozen, &world), None);
        assert_eq!(severity(&RULE, PICTURES, &frozen[..1], &world), Some(Severity::Warning));
        assert_eq!(
            severity(&RULE, TEXTS, &["train.batch_size=1"], &world),
            None,
            "a LayerNorm does not mind"
        );
    }

    #[test]
    fn ranks_have_statistics_of_their_own_unless_they_share_them() {
        let on = |ranks: u64, sets: &[&str]| {
            let mut subject = Subject::new(PICTURES, sets, &World::default());
            subject.plan.ranks = ranks;
            subject.look(&RULE)
        };
        let found = on(8, &["train.batch_size=2"]);
        assert!(found[0].fix.as_ref().unwrap().patch.contains_key("distributed.sync_batch_norm"));
        assert!(on(8, &["train.batch_size=2", "distributed.sync_batch_norm=true"]).is_empty());
        let few = on(2, &["train.batch_size=2"]);
        assert!(few[0].fix.as_ref().unwrap().patch.contains_key("train.batch_size"));
        assert_eq!(on(2, &["train.batch_size=2", "distributed.sync_batch_norm=true"]).len(), 1);
    }
}
