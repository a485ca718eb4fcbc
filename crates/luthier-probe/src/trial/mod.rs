//! Trials: a recipe as it is beside the same recipe with a change, on the same data with the same seeds, often enough
//! to know the noise.

mod arm;
mod horizon;
mod patch;
mod verdict;

use std::time::Duration;

use luthier_doctor::Proof;
use luthier_recipe::{Loaded, Recipe, RecipeError};
use luthier_train::TrainError;
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use arm::{Arm, StreamEnd};
pub use patch::{Patch, patched};

use crate::clock::Clock;
use horizon::Horizon;
use verdict::By;

/// Pairs of runs at most, and the fewest that know a noise.
const MOST_SEEDS: u64 = 3;
const FEWEST_SEEDS: u64 = 2;

/// Why a trial could not be run.
#[derive(Debug, Error, Diagnostic)]
pub enum TrialError {
    /// The change makes no sound recipe
    #[error(transparent)]
    #[diagnostic(transparent)]
    Recipe(#[from] RecipeError),
    /// The change takes out what a recipe needs
    #[error("without `{key}` it is no recipe: {why}")]
    #[diagnostic(help("a key that has no default can be changed, not taken out"))]
    TakenOut {
        /// The key
        key: String,
        /// What is missing
        why: String,
    },
    /// A run cannot begin or go on
    #[error(transparent)]
    #[diagnostic(transparent)]
    Train(#[from] TrainError),
}

/// What a trial came to, and what was run for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The verdict
    pub proof: Proof,
    /// The recipe as it is, one run for each seed
    pub before: Vec<Arm>,
    /// With the change, in the same order
    pub after: Vec<Arm>,
    /// Both arms trained every epoch on all training samples
    pub whole: bool,
    /// Training samples of each run
    pub samples: u64,
    /// Why it was cut short, as a sentence; empty where it was not
    pub note: String,
    /// Wall time
    pub seconds: f64,
}

/// Whether a loss with this key changed is another loss.
fn redefines(key: &str) -> bool {
    key.starts_with("loss") || key.starts_with("model.heads") || key.contains(".loss_weights")
}

/// Tries a change of a recipe: both arms from the same text, with the same seeds (up to three, `seeds` at most, two at
/// least), data and order, on as much data and for as long as `budget` allows. Nothing is written but below a temporary
/// folder. A run that the budget does not let end is not counted.
///
/// # Errors
/// The change makes no sound recipe, or a run cannot begin.
pub fn trial(
    loaded: &Loaded,
    patch: &Patch,
    seeds: u64,
    budget: Duration,
    device: &str,
) -> Result<Trial, TrialError> {
    let clock = Clock::new(budget);
    let changed = patched(loaded, patch)?;
    let recipes = [&loaded.recipe, &changed.recipe];
    let seeds = seeds.clamp(FEWEST_SEEDS, MOST_SEEDS);
    let horizon = Horizon::of(recipes, &loaded.base, device, [FEWEST_SEEDS, seeds], clock)?;
    let mut arms: [Vec<Arm>; 2] = Default::default();
    let mut note = String::new();
    let mut longest: f64 = 0.0;
    for seed in 0..horizon.seeds() {
        let began = clock.spent();
        if clock.left() < longest {
            note = format!("the budget of {:.0} s has room for {seed} seeds", budget.as_secs_f64());
            break;
        }
        let mut pair = Vec::new();
        for recipe in recipes {
            let recipe = Recipe { seed: recipe.seed.wrapping_add(seed), ..recipe.clone() };
            match horizon.run(&recipe, &loaded.base, device, clock)? {
                Some(arm) => pair.push(arm),
                None => break,
            }
        }
        let Ok([before, after]) = <[Arm; 2]>::try_from(pair) else {
            note = format!("the budget of {:.0} s ended in the middle of a run", budget.as_secs_f64());
            break;
        };
        arms[0].push(before);
        arms[1].push(after);
        longest = longest.max(clock.spent() - began);
    }
    let [before, after] = arms;
    let by = By::of(&loaded.recipe, patch, &before, &after);
    let proof = verdict::judge(&before, &after, by);
    Ok(Trial {
        proof,
        before,
        after,
        whole: horizon.whole(),
        samples: horizon.samples(),
        note,
        seconds: clock.spent(),
    })
}
