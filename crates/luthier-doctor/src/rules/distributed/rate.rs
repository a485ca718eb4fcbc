//! # DST001 ranks-and-rate
//!
//! ## What it finds
//! A run on several ranks whose updates see that many times the samples, at the rate of the recipe.
//!
//! ## Why it hurts
//! Gradients are means over all ranks: with N of them an epoch has an Nth of the updates, each with √N times less noise.
//! At the rate that was found with one process the weights travel an Nth of the way, and a run that should have become N
//! times as fast stops short.
//!
//! ## How it is measured
//! Ranks of the plan above 1, and no warm-up: who adapted the rate to the ranks has one. `train.batch_size` is what one
//! rank takes, as in torchrun's scripts.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "SGD"
//! lr = 0.1            # found with one process
//! # luthier train recipe.toml --nproc-per-node 8
//! ```
//!
//! ## Fix
//! The rate times N for SGD and times √N for Adam, with a warm-up; or the batch of each rank divided by N, which leaves
//! everything as it was and every update faster.
//!
//! ## When it is wrong
//! Where the rate was chosen for these ranks. It is `info`: only a run tells.
//!
//! ## Source
//! Goyal et al. 2017 (N, with warm-up); Malladi et al. 2022 (√N for Adam).

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DST001",
    name: "ranks-and-rate",
    category: Category::Distributed,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("rate.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.ranks > 1) else { return Vec::new() };
    if plan.recipe.schedule.warmup.steps > 0 {
        return Vec::new();
    }
    let ranks = plan.ranks as f64;
    let (name, factor) = if reading::adaptive(plan) { ("√N", ranks.sqrt()) } else { ("N", ranks) };
    let one = plan.recipe.train.batch_size * plan.recipe.train.grad_accum;
    let finding = rule
        .finding()
        .at("optim.lr")
        .weigh(Severity::Info, 0.5)
        .evidence(format!(
            "an update sees {} samples on {} ranks, and {one} with one process",
            plan.length.effective_batch, plan.ranks
        ))
        .evidence(format!(
            "a rate found with one process becomes {factor:.1} times as high by the {name} rule: {}",
            plan.recipe.optim.lr * factor
        ))
        .because(
            "rate and batch size belong together, and ranks multiply the batch",
            "the loss per epoch is that of one process",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    fn on(ranks: u64, sets: &[&str]) -> Vec<Finding> {
        let mut subject = Subject::new(TABLE, sets, &World::default());
        subject.plan.ranks = ranks;
        subject.plan.length.effective_batch *= ranks;
        subject.look(&RULE)
    }

    #[test]
    fn ranks_are_told_and_one_process_is_not() {
        let found = on(4, &["optim.type=SGD", "optim.lr=0.1"]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Info);
        assert!(found[0].evidence[1].ends_with("4.0 times as high by the N rule: 0.4"), "{found:?}");
        let adam = on(4, &["optim.type=Adam", "optim.lr=0.001"]);
        assert!(adam[0].evidence[1].contains("2.0 times as high by the √N rule: 0.002"), "{adam:?}");
        assert!(on(1, &[]).is_empty());
    }

    #[test]
    fn a_warm_up_says_that_somebody_thought_of_it() {
        assert!(
            on(4, &["schedule={ type = \"constant\", unit = \"step\", warmup = { steps = 10 } }"]).is_empty()
        );
    }
}
