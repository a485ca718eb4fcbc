//! # DIS301 script-epoch-not-told
//!
//! ## What it finds
//! A `DistributedSampler` that is not told the epoch.
//!
//! ## Why it hurts
//! It shuffles by its seed and the epoch. Without `set_epoch` every epoch has the same order, and every rank sees the
//! same samples in the same company, always.
//!
//! ## How it is measured
//! `DistributedSampler(…)` is made, without `shuffle=False`, and `set_epoch` is called nowhere.
//!
//! ## Example
//! ```python
//! sampler = DistributedSampler(train_set)
//! ```
//!
//! ## Fix
//! `sampler.set_epoch(epoch)` at the beginning of every epoch.
//!
//! ## When it is wrong
//! When a framework calls it.
//!
//! ## Source
//! `torch.utils.data.distributed.DistributedSampler`: "calling the `set_epoch()` method at the beginning of each epoch
//! … is necessary".

use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "DIS301",
    "script-epoch-not-told",
    Category::Distributed,
    include_str!("epoch_not_told.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let own_loop = script.backwards().next().is_some();
        let told = script.calls.iter().any(|call| call.short() == "set_epoch");
        let sampler = script
            .calls
            .iter()
            .find(|call| call.short() == "DistributedSampler" && call.arg("shuffle", 3) != Some("False"));
        let Some(sampler) = sampler.filter(|_| own_loop && !told) else { return Vec::new() };
        let finding = super::at(rule, script, sampler.at)
            .weigh(Severity::Warning, 0.9)
            .evidence("`set_epoch` is called nowhere".to_owned())
            .because(
                "every epoch has the same order, and every rank always the same batches",
                "the first batch of the second epoch is another one than that of the first",
            );
        vec![super::change(finding, "`sampler.set_epoch(epoch)` at the beginning of every epoch")]
    })
}
