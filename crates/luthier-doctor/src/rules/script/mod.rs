//! A training script in PyTorch, as it is written. Nothing is run: what cannot be told from the text is not told.

mod box_format;
mod clip_misplaced;
mod epoch_not_told;
mod gradients_cleared;
mod gradients_kept;
mod graph_kept;
mod lora_head;
mod no_eval_mode;
mod no_seed;
mod not_shuffled;
mod padded_validation;
mod past_the_wrapper;
mod rate;
mod same_batches;
mod schedule_first;
mod schedule_per_batch;
mod schedule_per_epoch;
mod shared_weights;
mod softmax_before_loss;
mod stays_in_eval;
#[cfg(test)]
mod tests;
mod zipped_loaders;

use std::collections::BTreeMap;

use crate::script::{Call, Place, Script};
use crate::{Category, Facts, Finding, Fix, Kind, Phase, Rule};

/// Rules over a script.
pub(super) static SCRIPT: &[&Rule] = &[
    &schedule_per_batch::RULE,
    &schedule_per_epoch::RULE,
    &schedule_first::RULE,
    &rate::RULE,
    &shared_weights::RULE,
    &gradients_kept::RULE,
    &gradients_cleared::RULE,
    &clip_misplaced::RULE,
    &stays_in_eval::RULE,
    &graph_kept::RULE,
    &no_seed::RULE,
    &softmax_before_loss::RULE,
    &no_eval_mode::RULE,
    &zipped_loaders::RULE,
    &not_shuffled::RULE,
    &box_format::RULE,
    &epoch_not_told::RULE,
    &same_batches::RULE,
    &past_the_wrapper::RULE,
    &padded_validation::RULE,
    &lora_head::RULE,
];

type Look = fn(&Rule, &Facts) -> Vec<Finding>;

const fn rule(
    code: &'static str,
    name: &'static str,
    category: Category,
    source: &'static str,
    look: Look,
) -> Rule {
    Rule { code, name, category, phase: Phase::Static, kind: Kind::Cause, source, look }
}

/// What a rule says of a script, if there is one.
fn over(facts: &Facts, find: impl FnOnce(&Script) -> Vec<Finding>) -> Vec<Finding> {
    facts.script.map(find).unwrap_or_default()
}

/// A finding at a place, as `train.py:41:13`.
fn at(rule: &Rule, script: &Script, place: Place) -> Finding {
    let mut finding = rule.finding().at(format!("{}:{}:{}", script.file, place.line, place.column));
    finding.line = Some(place.line);
    finding
}

/// What to change, in words: there is no recipe to patch.
fn change(mut finding: Finding, summary: impl Into<String>) -> Finding {
    finding.fix = Some(Fix { summary: summary.into(), patch: BTreeMap::new() });
    finding
}

/// Calls in a loop itself, and in functions that are called in it.
fn reached(script: &Script, index: usize) -> Vec<&Call> {
    let direct: Vec<&Call> = script.within(index).collect();
    let called = |name: &str| direct.iter().any(|call| call.short() == name);
    let inside = |call: &&Call| {
        let function = call.scope.function.and_then(|function| script.functions.get(function));
        function.is_some_and(|function| called(&function.name)) && !call.scope.loops.contains(&index)
    };
    let indirect: Vec<&Call> = script.calls.iter().filter(inside).collect();
    [direct, indirect].concat()
}
