//! How the model is evaluated, and what the evaluations say.

pub(super) mod class_never_guessed;
pub(super) mod constant_valid;
pub(super) mod majority;
pub(super) mod mode_gap;
pub(super) mod no_validation;
pub(super) mod small_validation;

use luthier_track::Confusion;

use crate::Facts;

/// Samples of each class, and how often each was guessed.
fn shares(confusion: &Confusion) -> (Vec<u64>, Vec<u64>) {
    let mut counts = (vec![0; confusion.classes()], vec![0; confusion.classes()]);
    for &(truth, guess, count) in confusion.cells() {
        counts.0[truth as usize] += count;
        counts.1[guess as usize] += count;
    }
    counts
}

/// Name of a class, or its number where it has none.
fn class_name(facts: &Facts, class: usize) -> String {
    let name = facts.plan.and_then(|plan| plan.data.classes.get(class));
    name.cloned().unwrap_or_else(|| class.to_string())
}
