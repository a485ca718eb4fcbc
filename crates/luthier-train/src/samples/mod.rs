//! What is on disk as planned splits.

mod folders;
mod rows;
mod tables;
pub(crate) mod tasks;

use std::path::Path;

use luthier_data::{Parts, Shares, oversample, plain_parts, stratified_parts, stratified_split, undersample};
use luthier_plan::{DataPlan, TablePlan};
use luthier_recipe::{Balance, Data, Recipe, Task};

use crate::TrainError;

/// The splits of a recipe, what becomes of the columns of a table, and what is worth saying about them.
pub(crate) fn data_plan(
    recipe: &Recipe,
    base: &Path,
) -> Result<(DataPlan, Option<TablePlan>, Vec<String>), TrainError> {
    let (data, notes) = match recipe.task {
        Task::ImageClassification | Task::MultiTask | Task::Contrastive => {
            folders::splits(&recipe.data, recipe.seed, base)?
        }
        Task::TextClassification => tables::splits(&recipe.data, recipe.seed, base)?,
        Task::Classification | Task::Regression => {
            let (data, table, notes) = rows::splits(recipe, base)?;
            return Ok((data, Some(table), notes));
        }
    };
    Ok((data, None, notes))
}

/// Which samples of one place each split has, by index: balanced and divided as the recipe asks.
fn divided(data: &Data, labels: &[u32], seed: u64) -> Result<Parts, TrainError> {
    let kept: Vec<u32> = match data.balance {
        Balance::Undersample => undersample(labels, seed),
        Balance::None | Balance::Oversample => (0..labels.len() as u32).collect(),
    };
    let of = |indices: &[u32]| -> Vec<u32> { indices.iter().map(|at| labels[*at as usize]).collect() };
    let kept_labels = of(&kept);
    let mut parts = match &data.split {
        None => Parts { train: (0..kept.len() as u32).collect(), valid: Vec::new(), test: Vec::new() },
        Some(split) if split.test == 0.0 && split.stratified => {
            let (train, valid) = stratified_split(&kept_labels, split.valid, split.fold, seed)?;
            Parts { train, valid, test: Vec::new() }
        }
        Some(split) => {
            let held_out = split.valid + split.test;
            let shares = Shares { train: 1.0 - held_out, valid: split.valid, test: split.test };
            if split.stratified {
                stratified_parts(&kept_labels, shares, seed)?
            } else {
                plain_parts(kept_labels.len(), shares, seed)?
            }
        }
    };
    for part in [&mut parts.train, &mut parts.valid, &mut parts.test] {
        part.iter_mut().for_each(|at| *at = kept[*at as usize]);
    }
    if data.balance == Balance::Oversample {
        let again = oversample(&of(&parts.train), seed);
        parts.train = again.into_iter().map(|at| parts.train[at as usize]).collect();
    }
    Ok(parts)
}

/// What balancing did, in words.
fn balanced_note(data: &Data, found: usize, parts: &Parts) -> Option<String> {
    let used = parts.train.len() + parts.valid.len() + parts.test.len();
    match data.balance {
        Balance::None => None,
        Balance::Undersample => {
            Some(format!("{} of {found} samples are left out to balance the classes", found - used))
        }
        Balance::Oversample => Some(format!(
            "{} training samples are repeats that balance the classes",
            used.saturating_sub(found)
        )),
    }
}
