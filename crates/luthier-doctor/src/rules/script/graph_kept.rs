//! # LOO305 script-graph-kept
//!
//! ## What it finds
//! Losses added up with all that they were computed from.
//!
//! ## Why it hurts
//! `total += loss` keeps the graph of every batch: memory grows until the run dies, often late in the first epoch.
//!
//! ## How it is measured
//! In a loop over batches a name whose `backward()` is called is added to another one, without `item()`, `detach()` or
//! `float()`.
//!
//! ## Example
//! ```python
//! loss.backward()
//! total += loss
//! ```
//!
//! ## Fix
//! `total += loss.item()`, or `loss.detach()` to keep it on the device.
//!
//! ## When it is wrong
//! When the sum itself is differentiated behind the loop.
//!
//! ## Source
//! PyTorch's FAQ: "Don't accumulate history across your training loop".

use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("LOO305", "script-graph-kept", Category::Loop, include_str!("graph_kept.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let loops = script.training_loops();
        let differentiated = |name: &str| script.backwards().any(|call| call.of() == name);
        let kept = script.assigned.iter().filter(|a| {
            let inside = a.scope.loops.iter().any(|index| loops.contains(index));
            let name = a.value.split([' ', '*', '/']).next().unwrap_or_default();
            a.added && inside && !a.scope.quiet && differentiated(name) && !differentiated(&a.name)
        });
        let told = kept.map(|a| {
            let finding = super::at(rule, script, a.at)
                .weigh(Severity::Warning, 0.85)
                .evidence(format!("`{} += {}` keeps the graph of every batch", a.name, a.value))
                .because(
                    "memory grows with every batch, as each loss holds all that it was computed from",
                    "the memory in use is the same after the tenth and after the hundredth batch",
                );
            super::change(finding, "add `loss.item()` or `loss.detach()`")
        });
        told.collect()
    })
}
