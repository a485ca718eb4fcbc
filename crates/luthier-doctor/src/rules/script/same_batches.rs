//! # DIS302 script-same-batches
//!
//! ## What it finds
//! Several processes that each go through all training samples.
//!
//! ## Why it hurts
//! `DistributedDataParallel` averages the gradients of its processes. Where each has the whole set, and all were seeded
//! alike, they see the same batches: N processes compute what one would have, and an epoch is N times as long as it should
//! be. Seeded apart, an epoch is N passes over the data.
//!
//! ## How it is measured
//! `DistributedDataParallel` wraps the model, a `DataLoader` for training has no sampler, and no `DistributedSampler` is made
//! anywhere.
//!
//! ## Example
//! ```python
//! model = DistributedDataParallel(model)
//! train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
//! ```
//!
//! ## Fix
//! `DataLoader(train_set, sampler=DistributedSampler(train_set))`, and its `set_epoch` at the beginning of every epoch.
//!
//! ## When it is wrong
//! When the set itself is a process's share: files that were dealt out, a stream that knows its rank.
//!
//! ## Source
//! `torch.utils.data.distributed.DistributedSampler`: it "restricts data loading to a subset of the dataset".

use crate::script::Call;
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "DIS302",
    "script-same-batches",
    Category::Distributed,
    include_str!("same_batches.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let wrapped =
            script.calls.iter().any(|call| ["DistributedDataParallel", "DDP"].contains(&call.short()));
        let any = script
            .calls
            .iter()
            .any(|call| call.short().contains("Sampler") || call.callee.contains("Iterable"));
        if !wrapped || any || script.backwards().next().is_none() {
            return Vec::new();
        }
        let loaders = script.calls.iter().filter(|call| call.short() == "DataLoader");
        let told = loaders.filter_map(|call| {
            let data = call.arg("dataset", 0)?;
            let named = |text: &str| {
                let text = text.to_lowercase();
                text.contains("train") && !text.contains("val") && !text.contains("test")
            };
            let made = script.made(data, dealt_out).is_some();
            let own = ["sampler", "batch_sampler"].iter().any(|name| call.arg(name, usize::MAX).is_some());
            if own || made || dealt(data) || !(named(data) || call.to.iter().any(|to| named(to))) {
                return None;
            }
            let finding = super::at(rule, script, call.at)
                .weigh(Severity::Error, 0.85)
                .evidence(format!("`DataLoader({data}, …)` has no sampler, and the model is `DistributedDataParallel`"))
                .because(
                    "every process goes through all samples: with one seed they all compute the same gradient",
                    "two processes print other first samples, and an epoch has a share of the batches of one process",
                );
            Some(super::change(finding, "`sampler=DistributedSampler(…)` instead of `shuffle=True`"))
        });
        told.collect()
    })
}

/// Whoever deals samples out by rank has a word for it.
fn dealt(text: &str) -> bool {
    let text = text.to_lowercase();
    ["sampler", "shard", "rank", "iterable", "subset"].iter().any(|word| text.contains(word))
}

fn dealt_out(call: &Call) -> bool {
    dealt(&call.callee) || call.args.iter().any(|arg| dealt(&arg.text))
}
