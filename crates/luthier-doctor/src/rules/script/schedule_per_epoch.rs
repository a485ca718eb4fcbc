//! # SCH302 script-schedule-per-epoch
//!
//! ## What it finds
//! A schedule whose length is given in batches, stepped once an epoch.
//!
//! ## Why it hurts
//! `OneCycleLR` and the warm-up schedules of `transformers` count calls. Called once an epoch, the run ends within
//! the first few of thousands: the rate stays at the start of the warm-up, which is next to nothing.
//!
//! ## How it is measured
//! The length that the schedule was made with has `len(…)` in it, or `steps_per_epoch` is given; the call stands in the
//! loop that counts epochs, and that loop holds another one, or a function, which calls `backward()`.
//!
//! ## Example
//! ```python
//! scheduler = OneCycleLR(optimizer, 0.01, total_steps=epochs * len(loader))
//! for epoch in range(epochs):
//!     train(loader)
//!     scheduler.step()
//! ```
//!
//! ## Fix
//! Call it behind every `optimizer.step()`.
//!
//! ## When it is wrong
//! When the length is counted in epochs although a `len(…)` stands in it.
//!
//! ## Source
//! `torch.optim.lr_scheduler.OneCycleLR`: "should be called after a batch has been used for training".

use crate::script::{Call, Script};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "SCH302",
    "script-schedule-per-epoch",
    Category::Schedule,
    include_str!("schedule_per_epoch.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let steps = script.calls.iter().filter(|call| call.short() == "step" && !call.scope.conditional);
        steps.filter_map(|call| find(rule, script, call)).collect()
    })
}

fn find(rule: &Rule, script: &Script, call: &Call) -> Option<Finding> {
    let maker = script.made(call.of(), Call::is_schedule)?;
    let index = script.inner_loop(&call.scope)?;
    let counts = script.loops.get(index)?.counts_epochs();
    let trains = super::reached(script, index).into_iter().any(|inner| {
        inner.short() == "backward" && script.inner_loop(&inner.scope).is_some_and(|own| own != index)
    });
    let length = maker.args.iter().skip(1).find_map(|arg| {
        let given = |text: &str| text.contains("len(");
        let assigned = || script.assigned.iter().any(|a| a.name == arg.text && given(&a.value));
        let named = arg.name.as_deref() == Some("steps_per_epoch");
        (named || given(&arg.text) || assigned()).then(|| arg.text.clone())
    })?;
    let in_batches = matches!(maker.short(), "OneCycleLR" | "CyclicLR") || maker.short().starts_with("get_");
    if !(counts && trains && in_batches) {
        return None;
    }
    let finding = super::at(rule, script, call.at)
        .weigh(Severity::Error, 0.9)
        .evidence(format!(
            "`{}` of line {} is `{length}` calls long, in batches",
            maker.short(),
            maker.at.line
        ))
        .evidence(format!("`{}()` is called once an epoch", call.callee))
        .because(
            "the run ends in the first few calls of the schedule, where the rate is at its start",
            "the rate that is logged at the end of the run is the schedule's last one",
        );
    Some(super::change(finding, format!("call `{}()` behind every `optimizer.step()`", call.callee)))
}
