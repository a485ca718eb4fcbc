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
pub use trial::{Arm, Patch, Trial, TrialError, patched, trial};

use bench::Bench;
use clock::Clock;

/// Measures a prepared recipe within about `budget` of wall time and hands it back as it was: weights, buffers, what
/// wants a gradient. What did not fit the budget, or failed, is in [`ProbeFacts::skipped`] with the reason.
///
/// # Errors
/// Not even the first batch can be made, or the model cannot be put on an optimizer.
pub fn probe(prepared: Prepared, budget: Duration) -> Result<(ProbeFacts, Prepared), TrainError> {
    let clock = Clock::new(budget);
    let mut bench = Bench::new(prepared)?;
    let facts = probes::run(&mut bench, clock);
    Ok((facts, bench.into_prepared()?))
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
