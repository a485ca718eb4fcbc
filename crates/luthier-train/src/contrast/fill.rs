//! What a contrastive run does before its first update: statistics that fit the samples, and keys to tell them from.
//!
//! MoCo's code begins with random directions in the queue and BatchNorm's statistics at 0 and 1. Both teach something else
//! than pictures at first: random directions are told apart best by putting all embeddings in one place, and keys whose
//! statistics are still on their way to the samples' are told apart by their age.

use super::{Contrast, embed, first_view};
use crate::TrainError;
use crate::job::Job;
use crate::runner::Runner;

/// Batches that BatchNorm's running statistics are taken from: of its usual 0.1 a batch, half a percent of the start is
/// left then.
const SEEN: usize = 50;

impl Job {
    /// Before the first update of a contrastive run: BatchNorm's running statistics are those of the samples, in both
    /// encoders, and the queue holds keys of samples, as many as there are.
    pub(crate) fn fill_queue(&mut self) -> Result<(), TrainError> {
        let Some(contrast) = &mut self.contrast else { return Ok(()) };
        let runner = &self.runner;
        tch::no_grad(|| {
            let batch = usize::try_from(runner.plan.recipe.train.batch_size).unwrap_or(usize::MAX);
            let mut batches = runner.feed.views(SEEN.saturating_mul(batch))?;
            while let Some(update) = batches.next_update(1)? {
                for batch in &update.batches {
                    drop(embed(runner, &runner.model, first_view(batch)?, &contrast.paths()[..1], true)?);
                }
            }
            contrast.copy(runner)?;
            let keys = usize::try_from(contrast.asked.queue).unwrap_or(usize::MAX);
            let mut batches = runner.feed.views(keys)?;
            while let Some(update) = batches.next_update(1)? {
                for second in update.batches.iter().filter_map(|batch| batch.second.as_ref()) {
                    let (mut rows, _) = embed(runner, &contrast.key, second, &contrast.paths()[..1], false)?;
                    contrast.queue.enqueue(&rows.swap_remove(0))?;
                }
            }
            Ok(())
        })
    }
}

impl Contrast {
    /// The key encoder becomes the query encoder's copy.
    pub(super) fn copy(&self, runner: &Runner) -> Result<(), TrainError> {
        tch::no_grad(|| {
            for ((_, key), (_, query)) in self.key.state().iter_mut().zip(runner.model.state()) {
                key.f_copy_(&query)?;
            }
            Ok(())
        })
    }
}
