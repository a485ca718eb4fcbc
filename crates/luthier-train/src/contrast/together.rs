//! What ranks of a contrastive run have together: keys, statistics, and, where keys are made of their batch's statistics,
//! who makes whose.
//!
//! MoCo shuffles the pictures between devices before their keys are made, and the keys back afterwards (He et al. 2020,
//! section 3.3): a query and its key have then been through BatchNorm in different company, and cannot find each other by
//! it.

use luthier_data::epoch_order;
use luthier_model::Model;
use luthier_recipe::KeyNorm;
use luthier_torch::manual_seed;
use tch::{Device, Kind, Tensor};

use super::keys::Keys;
use super::{Contrast, embed};
use crate::job::Job;
use crate::ranks::own as own_share;
use crate::runner::Runner;
use crate::step::mix;
use crate::{Ranks, TrainError};

/// Rows of all ranks, in the order of the ranks.
pub(super) struct Together {
    pub rows: Tensor,
    /// Where this rank's begin
    pub first: i64,
}

impl Together {
    /// Rows `[N, …]` of all ranks, of which some may have none, on the device; `None` where all have none.
    fn of(ranks: &Ranks, device: Device, own: Option<&Tensor>) -> Result<Option<Self>, TrainError> {
        let own_size = own.map(Tensor::size).unwrap_or_default();
        let said: Vec<u8> = own_size.iter().flat_map(|number| number.to_le_bytes()).collect();
        let sizes: Vec<Vec<i64>> = ranks.group.gather(&said)?.iter().map(|bytes| numbers(bytes)).collect();
        let count = |size: &Vec<i64>| size.first().copied().unwrap_or(0);
        let first = sizes.iter().take(ranks.world.rank as usize).map(count).sum();
        let Some([_, rest @ ..]) = sizes.iter().map(Vec::as_slice).find(|size| !size.is_empty()) else {
            return Ok(None);
        };
        let size = [&[sizes.iter().map(count).sum()], rest].concat();
        let rows = Tensor::f_zeros(&size, (Kind::Float, device))?;
        if let Some(own) = own {
            rows.f_narrow(0, first, own.size()[0])?.f_copy_(own)?;
        }
        // every row is 0 on all ranks but one
        ranks.group.sum(&rows)?;
        Ok(Some(Together { rows, first }))
    }

    /// The rows of the other ranks.
    pub fn others(&self, own: i64) -> Result<Tensor, TrainError> {
        let (before, behind) = (self.first, self.first + own);
        let behind = self.rows.f_narrow(0, behind, self.rows.size()[0] - behind)?;
        Ok(Tensor::f_cat(&[self.rows.f_narrow(0, 0, before)?, behind], 0)?)
    }
}

fn numbers(bytes: &[u8]) -> Vec<i64> {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
}

impl Contrast {
    /// Keys of a batch's second views on the unit sphere, in fp32, with those of all ranks. Every rank has to ask, one
    /// without a batch as well; `None` where no rank has one.
    pub(super) fn keys_together(
        &self,
        own: &Keys,
        runner: &Runner,
        second: Option<&Tensor>,
        seed: u64,
    ) -> Result<Option<Together>, TrainError> {
        let by_batch = self.asked.key_norm == KeyNorm::Batch;
        let make = |pictures: &Tensor| {
            embed(runner, &own.encoder, pictures, &self.paths()[..1], by_batch)
                .map(|(mut rows, _)| rows.swap_remove(0))
        };
        let Some(ranks) = runner.ranks.as_deref() else {
            let second =
                second.ok_or_else(|| TrainError::State("a batch has one view of each sample".into()))?;
            return Ok(Some(Together { rows: make(second)?, first: 0 }));
        };
        if !by_batch {
            return Together::of(ranks, runner.device, second.map(make).transpose()?.as_ref());
        }
        let Some(pictures) = Together::of(ranks, runner.device, second)? else { return Ok(None) };
        let count = pictures.rows.size()[0];
        let (rank, size) = runner.feed.share;
        let order = epoch_order(usize::try_from(count).unwrap_or(0), seed, 0, true);
        let index = |rows: &[u32]| {
            let rows: Vec<i64> = rows.iter().map(|row| i64::from(*row)).collect();
            Ok::<_, TrainError>(Tensor::f_from_slice(&rows)?.f_to_device(runner.device)?)
        };
        let all = index(&order)?;
        // as a batch of all of them is shared out
        let share = own_share(order.clone(), order.len(), rank, size);
        let mine = (!share.is_empty())
            .then(|| make(&luthier_torch::channels_last(&pictures.rows.f_index_select(0, &index(&share)?)?)?))
            .transpose()?;
        let Some(Together { rows: shuffled, .. }) = Together::of(ranks, runner.device, mine.as_ref())? else {
            return Ok(None);
        };
        let mut rows = shuffled.f_empty_like()?;
        let rows = rows.f_index_copy_(0, &all, &shuffled)?;
        Ok(Some(Together { rows, first: pictures.first }))
    }

    /// Rows and samples of all ranks, together; `None` where there are none.
    pub(super) fn rows_together(
        runner: &Runner,
        own: Option<(&Tensor, &[u32])>,
    ) -> Result<Option<(Tensor, Vec<u32>)>, TrainError> {
        let Some(ranks) = runner.ranks.as_deref() else {
            return Ok(own.map(|(rows, samples)| (rows.shallow_clone(), samples.to_vec())));
        };
        let said: Vec<u8> =
            own.iter().flat_map(|(_, samples)| *samples).flat_map(|one| one.to_le_bytes()).collect();
        let mut samples = Vec::new();
        for bytes in ranks.group.gather(&said)? {
            samples.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)));
        }
        let rows = Together::of(ranks, runner.device, own.map(|(rows, _)| rows))?.map(|all| all.rows);
        Ok(rows.map(|rows| (rows, samples)))
    }

    /// Keys of the batches of an update that other ranks have beyond this one's `done`; every one of `parts` in turn.
    pub(super) fn keys_of_others(
        &self,
        runner: &Runner,
        done: u64,
        parts: u64,
        number: u64,
    ) -> Result<Vec<Tensor>, TrainError> {
        let (Some(own), Some(_)) = (&self.keys, &runner.ranks) else { return Ok(Vec::new()) };
        let keys = |part| self.keys_together(own, runner, None, shuffle(runner, number, part));
        let rows = |part| Ok(keys(part)?.map(|all| all.rows));
        tch::no_grad(|| (done..parts).filter_map(|part| rows(part).transpose()).collect())
    }

    /// Puts keys into the queue.
    pub(super) fn enqueue<'a>(
        &mut self,
        keys: impl IntoIterator<Item = &'a Tensor>,
    ) -> Result<(), TrainError> {
        let Some(own) = &mut self.keys else { return Ok(()) };
        tch::no_grad(|| keys.into_iter().try_for_each(|keys| Ok(own.queue.enqueue(keys)?)))
    }
}

/// The seed of who makes whose keys, of one batch.
pub(super) fn shuffle(runner: &Runner, number: u64, part: u64) -> u64 {
    mix(runner.plan.recipe.seed, number, part)
}

impl Job {
    /// Of an update of which this rank has no batch: takes its part in making the others' keys.
    pub(crate) fn keep_company(&mut self, parts: u64, number: u64) -> Result<(), TrainError> {
        let _draws = manual_seed(self.seed_of(number, 0));
        let Some(contrast) = &mut self.contrast else { return Ok(()) };
        let keys = contrast.keys_of_others(&self.runner, 0, parts, number)?;
        contrast.enqueue(&keys)
    }

    /// Makes the query encoder's statistics rank 0's before the key encoder follows them, so that one encoder makes the keys
    /// of all ranks.
    pub(crate) fn same_statistics(&self) -> Result<(), TrainError> {
        match self.contrast {
            Some(_) => first_ranks(&self.runner, &self.runner.model, &[]),
            None => Ok(()),
        }
    }
}

/// Makes a model's statistics, and more, rank 0's, where there are ranks. Each has seen other samples, or rounds other sums.
pub(super) fn first_ranks(runner: &Runner, model: &Model, more: &[&Tensor]) -> Result<(), TrainError> {
    runner.ranks.as_deref().map_or(Ok(()), |ranks| ranks.take_first(model, more))
}
