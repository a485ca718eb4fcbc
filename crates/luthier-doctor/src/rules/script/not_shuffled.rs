//! # DAT302 script-not-shuffled
//!
//! ## What it finds
//! Training data in the order of the files.
//!
//! ## Why it hurts
//! Files mostly lie class by class. Batches of one class each pull the network to that class, and the next ones away
//! from it again; BatchNorm sees one class at a time.
//!
//! ## How it is measured
//! A `DataLoader` with `train` in its name or its data's, `shuffle` not on, and no sampler.
//!
//! ## Example
//! ```python
//! train_loader = DataLoader(train_set, batch_size=32)
//! ```
//!
//! ## Fix
//! `shuffle=True`.
//!
//! ## When it is wrong
//! When the data come shuffled, or are a stream.
//!
//! ## Source
//! `torch.utils.data.DataLoader`: the default of `shuffle` is False.

use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("DAT302", "script-not-shuffled", Category::Data, include_str!("not_shuffled.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let stream = script.calls.iter().any(|call| call.callee.contains("Iterable"));
        let loaders = script.calls.iter().filter(|call| call.short() == "DataLoader" && !stream);
        let told = loaders.filter_map(|call| {
            let data = call.arg("dataset", 0)?;
            let named = |text: &str| {
                let text = text.to_lowercase();
                text.contains("train") && !text.contains("val") && !text.contains("test")
            };
            let on = call.arg("shuffle", 2).is_some_and(|text| text != "False");
            let other = ["sampler", "batch_sampler"].iter().any(|name| call.arg(name, usize::MAX).is_some());
            if on || other || !(named(data) || call.to.iter().any(|to| named(to))) {
                return None;
            }
            let finding = super::at(rule, script, call.at)
                .weigh(Severity::Warning, 0.75)
                .evidence(format!("`DataLoader({data}, …)` does not shuffle"))
                .because(
                    "the batches come in the order of the data, the same in every epoch",
                    "neighbouring samples are of different classes",
                );
            Some(super::change(finding, "`shuffle=True`"))
        });
        told.collect()
    })
}
