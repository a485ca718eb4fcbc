//! From a recipe file to a plan, with errors that point into the file.

use std::path::Path;

use luthier::voice::{Blame, Failure, Voice};
use luthier_recipe::Loaded;
use luthier_train::{Prepared, TrainError};

/// Reads a recipe and decides everything about it.
pub fn prepare(
    path: &Path,
    sets: &[String],
    device: Option<&str>,
    voice: &Voice,
) -> Result<(Loaded, Prepared), Failure> {
    prepare_for(path, sets, device, 1, voice)
}

/// As [`prepare`], for so many ranks.
pub fn prepare_for(
    path: &Path,
    sets: &[String],
    device: Option<&str>,
    ranks: u32,
    voice: &Voice,
) -> Result<(Loaded, Prepared), Failure> {
    let loaded = luthier_recipe::load(path, sets).or_call()?;
    for note in &loaded.notes {
        voice.warn(note);
    }
    let device = device.unwrap_or("cpu");
    match luthier_train::prepare_for(&loaded.recipe, &loaded.base, device, u64::from(ranks)) {
        Ok(prepared) => Ok((loaded, prepared)),
        Err(TrainError::Plan(error)) => {
            Err(Failure::call(loaded.error_at(&error.key, error.what, error.help.unwrap_or_default())))
        }
        Err(error) => Err(Failure::call(error)),
    }
}
