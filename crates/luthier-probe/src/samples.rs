//! Batches of chosen samples, and batches with something about them changed.

use std::time::Duration;

use luthier_model::{Input, Tokens};
use luthier_train::{Batch, Runner, Start, TrainError, Update};
use tch::Tensor;

/// One batch of these samples of a split, `augmented` as training sees them in its first epoch.
pub(crate) fn one(
    runner: &Runner,
    split: &str,
    augmented: bool,
    indices: Vec<u32>,
) -> Result<Batch, TrainError> {
    in_epoch(runner, split, augmented, 0, indices)
}

/// As [`one`], as training sees them in some epoch.
pub(crate) fn in_epoch(
    runner: &Runner,
    split: &str,
    augmented: bool,
    epoch: u64,
    indices: Vec<u32>,
) -> Result<Batch, TrainError> {
    let size = indices.len().max(1);
    let update = runner.feed.some(split, augmented, epoch, indices, size)?.next_update(1)?;
    let batch = update.and_then(|update| update.batches.into_iter().next());
    batch.ok_or_else(|| TrainError::State(format!("none of the chosen samples of `{split}` could be read")))
}

/// Samples of a split as evaluation sees them, cut into batches.
pub(crate) fn plain(
    runner: &Runner,
    split: &str,
    indices: Vec<u32>,
    batch_size: usize,
) -> Result<Vec<Batch>, TrainError> {
    let mut batches = runner.feed.some(split, false, 0, indices, batch_size.max(1))?;
    let mut all = Vec::new();
    while let Some(update) = batches.next_update(1)? {
        all.extend(update.batches);
    }
    Ok(all)
}

/// An update of these batches.
pub(crate) fn update_of(batches: Vec<Batch>) -> Update {
    Update { taken: batches.len() as u64, batches, skipped: Vec::new(), wait: Duration::ZERO }
}

/// The numbers that go into the network; texts have none.
pub(crate) fn numbers(batch: &Batch) -> Option<&Tensor> {
    match &batch.start {
        Start::Input(Input::Pictures(numbers) | Input::Rows(numbers)) => Some(numbers),
        Start::Input(Input::Tokens(_)) | Start::Behind(..) => None,
    }
}

/// The same batch with every number 0, or with every token the first of the vocabulary. `None` where it starts behind
/// some parts.
pub(crate) fn zeroed(batch: &Batch) -> Result<Option<Batch>, TrainError> {
    let input = match &batch.start {
        Start::Input(Input::Pictures(pictures)) => Input::Pictures(pictures.f_zeros_like()?),
        Start::Input(Input::Rows(rows)) => Input::Rows(rows.f_zeros_like()?),
        Start::Input(Input::Tokens(tokens)) => {
            Input::Tokens(Tokens { ids: tokens.ids.f_zeros_like()?, lengths: tokens.lengths.clone() })
        }
        Start::Behind(..) => return Ok(None),
    };
    let (labels, more, indices) = (batch.labels.clone(), batch.more.clone(), batch.indices.clone());
    let values = batch.values.as_ref().map(Tensor::shallow_clone);
    Ok(Some(Batch { start: Start::Input(input), labels, more, values, indices, second: None }))
}
