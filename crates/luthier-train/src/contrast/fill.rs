//! What a contrastive run does before its first update: statistics that fit the samples, and keys to tell them from.
//!
//! MoCo's code begins with random directions in the queue and BatchNorm's statistics at 0 and 1. Both teach something else
//! than pictures at first: random directions are told apart best by putting all embeddings in one place, and keys whose
//! statistics are still on their way to the samples' are told apart by their age.

use luthier_recipe::KeyNorm;

use super::together::first_ranks;
use super::{embed, first_view};
use crate::TrainError;
use crate::job::Job;

/// Batches that BatchNorm's running statistics are taken from, the samples again and again where there are fewer: with its
/// usual 0.1 a batch, half a percent of the start is left then.
const SEEN: usize = 50;

impl Job {
    /// Before the first update of a contrastive run: BatchNorm's running statistics are those of the samples, in both
    /// encoders, and the queue holds keys of samples, as many as there are.
    pub(crate) fn fill_queue(&mut self) -> Result<(), TrainError> {
        let Some(contrast) = &mut self.contrast else { return Ok(()) };
        let (runner, path) = (&self.runner, contrast.paths()[0]);
        let by_batch = contrast.asked.key_norm == KeyNorm::Batch;
        let (keys, filled) = (contrast.asked.queue(), contrast.keys.as_mut());
        let Some(filled) = filled else { return Ok(()) };
        tch::no_grad(|| {
            // every rank does the same
            let together = runner.plan.recipe.train.batch_size * runner.plan.ranks;
            let batch = usize::try_from(together).unwrap_or(usize::MAX);
            let (mut seen, mut before) = (0, usize::MAX);
            // a pass in which nothing could be read is the last
            while seen < SEEN && seen != before {
                before = seen;
                let mut batches = runner.feed.views(SEEN.saturating_mul(batch))?;
                while let Some(update) = batches.next_update(1)? {
                    // of one sample there are no statistics
                    for batch in
                        update.batches.iter().filter(|batch| batch.labels.len() > 1).take(SEEN - seen)
                    {
                        drop(embed(runner, &runner.model, first_view(batch)?, &[path], true)?);
                        seen += 1;
                    }
                }
            }
            first_ranks(runner, &runner.model, &[])?;
            filled.copy(&runner.model)?;
            let mut batches = runner.feed.views(usize::try_from(keys).unwrap_or(usize::MAX))?;
            while let Some(update) = batches.next_update(1)? {
                let several = update.batches.iter().filter(|batch| !by_batch || batch.labels.len() > 1);
                for second in several.filter_map(|batch| batch.second.as_ref()) {
                    let (mut rows, _) = embed(runner, &filled.encoder, second, &[path], by_batch)?;
                    filled.queue.enqueue(&rows.swap_remove(0))?;
                }
            }
            first_ranks(runner, &filled.encoder, &[filled.queue.keys()])
        })
    }
}
