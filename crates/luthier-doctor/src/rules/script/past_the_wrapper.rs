//! # DIS303 script-past-the-wrapper
//!
//! ## What it finds
//! A forward pass for training that goes round `DistributedDataParallel`.
//!
//! ## Why it hurts
//! The wrapper's own `forward` prepares the exchange of gradients. A loss of `model.module(x)` has gradients that nobody
//! exchanges: each process goes its own way, and what is saved is the first one's.
//!
//! ## How it is measured
//! The model is wrapped in `DistributedDataParallel`, a loop with a `backward()` calls its `.module(…)`, with gradients on,
//! and never calls the wrapper itself.
//!
//! ## Example
//! ```python
//! model = DistributedDataParallel(net)
//! for x, y in train_loader:
//!     loss = loss_fn(model.module(x), y)
//! ```
//!
//! ## Fix
//! `model(x)`. `.module` is for names, for saving and for evaluation.
//!
//! ## When it is wrong
//! Where gradients are averaged by hand after `backward()`.
//!
//! ## Source
//! `torch.nn.parallel.DistributedDataParallel`: "forward … hooks" of the wrapper set the reducer up; a published failure of
//! the kind lost half of a language model's training to it (jxmnop 2023).

use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "DIS303",
    "script-past-the-wrapper",
    Category::Distributed,
    include_str!("past_the_wrapper.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let wraps =
            script.calls.iter().find(|call| ["DistributedDataParallel", "DDP"].contains(&call.short()));
        let Some(name) = wraps.and_then(|call| call.to.first()) else { return Vec::new() };
        let by_hand = script.calls.iter().any(|call| call.short() == "all_reduce");
        let round = format!("{name}.module");
        let mut found = Vec::new();
        for backward in script.backwards().filter(|_| !by_hand) {
            let Some(index) = backward.scope.loops.last().copied() else { continue };
            let loud: Vec<_> =
                super::reached(script, index).into_iter().filter(|call| !call.scope.quiet).collect();
            let through = loud.iter().any(|call| call.callee == *name);
            let Some(call) = loud.iter().find(|call| call.callee == round).filter(|_| !through) else {
                continue;
            };
            let finding = super::at(rule, script, call.at)
                .weigh(Severity::Error, 0.9)
                .evidence(format!("`{round}(…)` is what the loss is of, and `{name}(…)` is called nowhere in the loop"))
                .because(
                    "gradients of a pass that goes round the wrapper are not exchanged: the processes drift apart",
                    "after some updates the weights of two processes are the same",
                );
            found.push(super::change(finding, format!("`{name}(…)` in training")));
        }
        // a loop inside a loop is the same one
        found.truncate(1);
        found
    })
}
