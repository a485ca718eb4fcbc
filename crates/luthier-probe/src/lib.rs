//! Measuring: probes of the live model before a run, finders of a learning rate and a batch size, and trials that show
//! whether a change of the recipe helps.
//!
//! Nothing here judges: numbers go to `luthier-doctor`'s facts, and its rules say what they mean. Nothing here writes
//! to a user's run directory, and the model that is measured is handed back as it came, to the last bit.

#[cfg(test)]
extern crate self as luthier_probe;

mod bench;
mod clock;
mod finders;
mod fit;
mod look;
mod norms;
mod points;
mod probes;
mod samples;
mod trial;

use std::time::Duration;

use luthier_doctor::ProbeFacts;
use luthier_recipe::Loaded;
use luthier_train::{Prepared, TrainError};

pub use finders::{
    BatchCurve, BatchLimits, BatchPoint, LrCurve, Overfit, find_batch, find_lr, overfit_one_batch,
};
pub use trial::{Arm, Patch, StreamEnd, Trial, TrialError, patched, trial};

use bench::{Bench, each};
use clock::Clock;

/// Measures a prepared recipe within about `budget` of wall time and hands it back as it was: weights, buffers, what
/// wants a gradient. What did not fit the budget, or failed, is in [`ProbeFacts::skipped`] with the reason. Of several
/// streams each is measured by itself, on an equal share of the budget: what was measured on those beside the first is in
/// [`ProbeFacts::streams`].
///
/// # Errors
/// Not even the first batch of a stream can be made, or the model cannot be put on an optimizer.
pub fn probe(prepared: Prepared, budget: Duration) -> Result<(ProbeFacts, Prepared), TrainError> {
    let Prepared { plan, mut model } = prepared;
    let alone = each(&plan);
    let share = budget / u32::try_from(alone.len()).unwrap_or(u32::MAX);
    let mut all = Vec::new();
    for own in alone {
        let name = own.stream.clone();
        // what one stream leaves of its share is not the next one's: each is to see as much
        let clock = Clock::new(share);
        let mut bench = Bench::new(Prepared { plan: own, model })?;
        all.push((name, probes::run(&mut bench, clock)));
        model = bench.into_prepared()?.model;
    }
    let mut all = all.into_iter();
    let mut facts = all.next().map(|(_, first)| first).unwrap_or_default();
    facts.streams = all.collect();
    Ok((facts, Prepared { plan, model }))
}

/// As [`probe`], for a recipe as it was loaded.
///
/// # Errors
/// As [`probe`].
pub fn probe_recipe(
    loaded: &Loaded,
    prepared: Prepared,
    budget: Duration,
) -> Result<(ProbeFacts, Prepared), TrainError> {
    debug_assert_eq!(loaded.recipe, prepared.plan.recipe, "the plan is of another recipe");
    probe(prepared, budget)
}
