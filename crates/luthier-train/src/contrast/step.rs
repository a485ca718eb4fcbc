//! One batch of an update: the encoders forward, the losses, backward, and the keys into the queue.

use luthier_contrast::{
    Contrast as Candidates, Drawn, Negatives, Prototypes, draw_negatives, info_nce, proto_nce, top_k,
};
use luthier_recipe::ContrastiveLoss;
use tch::{Kind, Tensor};

use super::keys::Keys;
use super::together::shuffle;
use super::{Contrast, counted, distinct, embed, first_view};
use crate::TrainError;
use crate::feed::Batch;
use crate::job::Job;
use crate::objective::Score;
use crate::runner::Runner;
use crate::step::Part;

/// What the encoders made of a batch.
pub(super) struct Seen {
    /// Sum of each loss over the batch, in the objective's order; 0 for one that does not run
    pub sums: Vec<Tensor>,
    /// What is counted of each: right answers, those among the first five, positives
    pub counts: Vec<Score>,
    /// Embeddings of the query encoder before they were normalised
    pub outputs: Tensor,
    /// The keys of all ranks, for the queue; `None` where there is none
    pub keys: Option<Tensor>,
}

impl Contrast {
    /// The encoders over a batch. The queue is not changed: a backward pass still reads it.
    fn see(&self, runner: &Runner, batch: &Batch, at: Part) -> Result<Seen, TrainError> {
        match &self.keys {
            Some(keys) => self.see_keys(keys, runner, batch, at),
            None => self.see_classes(runner, batch),
        }
    }

    /// A batch against the keys of the queue, and against prototypes.
    fn see_keys(&self, own: &Keys, runner: &Runner, batch: &Batch, at: Part) -> Result<Seen, TrainError> {
        let first = first_view(batch)?;
        let runs = |loss| self.losses.contains(&loss);
        let clusters = runs(ContrastiveLoss::ProtoNce);
        let (queries, outputs) =
            embed(runner, &runner.model, first, &distinct(self.paths(), clusters), true)?;
        let rows = batch.labels.len();
        // keys are made in every update, whatever is minimised: BatchNorm's statistics and the queue stay up to date
        let (update, seed) = (at.number, shuffle(runner, at.number, at.part));
        let together = tch::no_grad(|| self.keys_together(own, runner, batch.second.as_ref(), seed))?;
        let together = together.ok_or_else(|| TrainError::State("a batch has no keys".into()))?;
        let keys = together.rows.f_narrow(0, together.first, rows as i64)?;
        let none = || Ok::<_, TrainError>((Tensor::f_zeros([], (Kind::Float, runner.device))?, [0, 0]));
        let mut losses = vec![if runs(ContrastiveLoss::InfoNce) {
            let negatives = if self.asked.in_batch { Negatives::QueueAndBatch } else { Negatives::Queue };
            let (queue, temperature) = (own.queue.keys(), self.asked.temperature());
            // the other ranks' samples are of this batch as well
            let beside = (self.asked.in_batch && runner.ranks.is_some())
                .then(|| Ok::<_, TrainError>(Tensor::f_cat(&[queue, &together.others(rows as i64)?], 0)?))
                .transpose()?;
            let queue = beside.as_ref().unwrap_or(queue);
            let found = info_nce(&queries[0], &keys, queue, negatives, temperature)?;
            (found.loss.f_mul_scalar(rows as f64)?, hits(&[found], rows)?)
        } else {
            none()?
        }];
        if let Some(asked) = &self.asked.prototypes {
            losses.push(if clusters {
                let negatives = usize::try_from(asked.negatives).unwrap_or(usize::MAX);
                let (seed, all) = (runner.plan.recipe.seed, &own.prototypes);
                let drawn: Vec<Drawn> = (0..)
                    .zip(all)
                    .map(|(at, own)| draw_negatives(own, &batch.indices, negatives, seed, update, at))
                    .collect::<Result<_, _>>()?;
                let pairs: Vec<(&Prototypes, &Drawn)> = all.iter().zip(&drawn).collect();
                let (loss, found) = proto_nce(&queries[queries.len() - 1], &pairs)?;
                (loss.f_mul_scalar(rows as f64)?, hits(&found, rows)?)
            } else {
                none()?
            });
        }
        let (sums, counts) = losses
            .into_iter()
            .map(|(sum, [right, top5])| (sum, Score { right, top5, ..Score::default() }))
            .unzip();
        Ok(Seen { sums, counts, outputs, keys: Some(together.rows) })
    }
}

/// Right answers over all granularities, and those among the first five.
fn hits(found: &[Candidates], rows: usize) -> Result<[u64; 2], TrainError> {
    let mut hits = [0, 0];
    for one in found {
        for (sum, k) in hits.iter_mut().zip([1, 5]) {
            *sum += counted(tch::no_grad(|| top_k(&one.logits, &one.labels, k))?, rows);
        }
    }
    Ok(hits)
}

impl Job {
    /// Forward and backward of one batch of a contrastive run: adds its share to the gradients, puts its keys into the
    /// queue, returns its losses and right answers.
    pub(crate) fn accumulate_contrast(
        &mut self,
        batch: &Batch,
        denominators: &[f64],
        at: Part,
    ) -> Result<Vec<Score>, TrainError> {
        let none = || TrainError::State("the run contrasts nothing".into());
        let seen = self.contrast.as_ref().ok_or_else(none)?.see(&self.runner, batch, at)?;
        let mut scores = Vec::with_capacity(seen.sums.len());
        let own = self.runner.objective.denominators(batch);
        for ((sum, denominator), counts) in seen.sums.iter().zip(own).zip(seen.counts) {
            let loss = sum.f_double_value(&[])?;
            if !loss.is_finite() {
                let error = self.bad_loss(batch, &seen.outputs, at)?;
                self.fail(error)?;
            }
            scores.push(Score { loss, denominator, ..counts });
        }
        // before the last backward pass, in which gradients are exchanged: ranks with more batches make keys before it, too
        let later = match &self.contrast {
            Some(contrast) if at.last => {
                contrast.keys_of_others(&self.runner, at.part + 1, at.parts, at.number)?
            }
            _ => Vec::new(),
        };
        self.backward(&self.runner.objective.minimised(&seen.sums, denominators)?, at)?;
        if let Some(contrast) = &mut self.contrast {
            contrast.enqueue(seen.keys.iter().chain(&later))?;
        }
        Ok(scores)
    }
}
