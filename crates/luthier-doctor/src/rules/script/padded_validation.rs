//! # DIS304 script-padded-validation
//!
//! ## What it finds
//! A validation split that `DistributedSampler` pads.
//!
//! ## Why it hurts
//! The sampler gives every process as many samples, and takes the first ones once more where the split does not divide. What is
//! reduced over the processes counts those twice: of 100 samples on 3 processes, 2, and the figure moves with the number of
//! processes.
//!
//! ## How it is measured
//! A `DistributedSampler` of a set with `val` or `test` in its name, or for a loader with it, without `drop_last=True`, in a
//! script that trains.
//!
//! ## Example
//! ```python
//! valid_loader = DataLoader(valid_set, sampler=DistributedSampler(valid_set, shuffle=False))
//! ```
//!
//! ## Fix
//! Evaluate on one process, or deal out `range(rank, len(valid_set), world_size)` and sum right answers and counts.
//!
//! ## When it is wrong
//! When the split divides by the number of processes, or what was added is taken out again, as `torchmetrics` and `accelerate`'s
//! `gather_for_metrics` do.
//!
//! ## Source
//! `torch.utils.data.distributed.DistributedSampler`: "if False, the sampler will add extra indices to make the data evenly
//! divisible across the replicas".

use crate::script::Call;
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "DIS304",
    "script-padded-validation",
    Category::Distributed,
    include_str!("padded_validation.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let taken_out = script.calls.iter().any(|call| call.short() == "gather_for_metrics");
        if taken_out || script.backwards().next().is_none() {
            return Vec::new();
        }
        let pads = |call: &&Call| {
            let named = call.arg("dataset", 0).is_some_and(held_out) || call.to.iter().any(|to| held_out(to));
            call.short() == "DistributedSampler" && named && call.arg("drop_last", 5) != Some("True")
        };
        let told = script.calls.iter().filter(pads).map(|call| {
            let finding = super::at(rule, script, call.at)
                .weigh(Severity::Info, 0.8)
                .evidence(format!("`{}` gives every process as many samples, and has some twice for it", call.callee))
                .because(
                    "figures over all processes count those samples twice, and change with the number of processes",
                    "the size of the split is a multiple of the number of processes",
                );
            super::change(finding, "each process its share of `range(rank, len(…), world_size)`, right answers and counts summed")
        });
        told.collect()
    })
}

fn held_out(name: &str) -> bool {
    let name = name.to_lowercase();
    ["val", "test"].iter().any(|word| name.contains(word))
}
