//! A job that is one of several.

use std::collections::HashMap;
use std::rc::Rc;

use luthier_recipe::Interleave;
use luthier_torch::{Reducer, Traffic};
use tch::{Kind, Tensor};
use xxhash_rust::xxh3::Xxh3;

use super::Ranks;
use super::failure::first_failure;
use crate::job::Job;
use crate::objective::Score;
use crate::step::{Part, Step, mix};
use crate::{Runner, TrainError};

/// What a job keeps as one of several.
pub(crate) struct Member {
    pub(super) ranks: Rc<Ranks>,
    /// Made anew with every optimizer, for the parameters that it moves; with the first of those
    reducer: Option<(Reducer, Tensor)>,
    /// Where the gradients of all streams are added up before they are exchanged, with those of the last one, there is one
    /// reducer for them all
    pub(super) summed: bool,
    /// The last batch of an update is this job's
    exchanges: bool,
    /// The gradients of the update under way are summed
    exchanged: bool,
    /// Why this rank cannot go on, to be told when the others listen
    pub(super) failed: Option<TrainError>,
    /// This rank was asked to stop
    asked: bool,
    /// A rank was, and all know
    stops: bool,
    traffic: Traffic,
}

impl Member {
    fn new(ranks: Rc<Ranks>, summed: bool, exchanges: bool) -> Self {
        let traffic = Traffic::default();
        Member {
            ranks,
            reducer: None,
            summed,
            exchanges,
            exchanged: false,
            failed: None,
            asked: false,
            stops: false,
            traffic,
        }
    }

    fn reducer(&self, moving: &[Tensor]) -> Result<(Reducer, Tensor), TrainError> {
        let first = moving.first().ok_or_else(|| TrainError::State("a stream moves nothing".into()))?;
        let reducer = Reducer::new(Rc::clone(&self.ranks.group), moving, self.ranks.bucket_bytes)?;
        Ok((reducer, first.shallow_clone()))
    }
}

impl Runner {
    /// Evaluates a share of each split from here on, and trains on a share of each batch.
    pub(crate) fn share(&mut self, ranks: Rc<Ranks>) {
        self.feed.share = (ranks.world.rank as usize, ranks.world.size as usize);
        self.ranks = Some(ranks);
    }
}

impl Job {
    /// Takes the weights of rank 0, and trains as one of `ranks`.
    ///
    /// # Errors
    /// A rank is gone, or has other weights all the same.
    pub fn among(mut self, ranks: Rc<Ranks>) -> Result<Self, TrainError> {
        for entry in self.runner.model.store.entries() {
            ranks.group.broadcast(&entry.tensor, 0)?;
        }
        self.begin_average()?;
        let summed = self.runner.plan.recipe.train.interleave == Interleave::Sum && !self.others.is_empty();
        let (moving, count) = (self.moving(), self.others.len());
        for (at, job) in self.others.iter_mut().enumerate() {
            job.runner.share(Rc::clone(&ranks));
            let mut member = Member::new(Rc::clone(&ranks), summed, !summed || at + 1 == count);
            if summed && member.exchanges {
                // before the first stream's backward pass, which it has to see
                member.reducer = Some(member.reducer(&moving)?);
            }
            job.member = Some(member);
        }
        self.runner.share(Rc::clone(&ranks));
        self.member = Some(Member::new(ranks, summed, !summed));
        self.same_weights(0)?;
        Ok(self)
    }

    /// What the last update exchanged; `None` where there is nobody to exchange with.
    pub fn traffic(&self) -> Option<Traffic> {
        self.member.as_ref().map(|member| member.traffic)
    }

    /// Seed of what batch `part` of update `number` draws: another one on every rank.
    pub(crate) fn seed_of(&self, number: u64, part: u64) -> u64 {
        let (rank, size) = self.runner.feed.share;
        mix(self.runner.plan.recipe.seed, number, part * size as u64 + rank as u64)
    }

    /// Begins the exchange of an update: what its losses are divided by becomes what all ranks have together.
    pub(crate) fn begin_exchange(&mut self, denominators: &mut [f64]) -> Result<(), TrainError> {
        let bare = |member: &Member| member.reducer.is_none() && member.exchanges;
        let moving = if self.member.as_ref().is_some_and(bare) { self.moving() } else { Vec::new() };
        let Some(member) = &mut self.member else { return Ok(()) };
        member.exchanged = false;
        match &member.reducer {
            // other streams have been through these parameters meanwhile
            Some((reducer, _)) if !member.summed => reducer.begin()?,
            Some(_) => {}
            None if member.exchanges => member.reducer = Some(member.reducer(&moving)?),
            None => {}
        }
        let sums = member.ranks.group.sums(denominators)?;
        denominators.copy_from_slice(&sums);
        Ok(())
    }

    /// The backward pass of a batch, its loss scaled; of an update's last one, gradients are summed over the ranks meanwhile.
    pub(crate) fn backward(&mut self, loss: &Tensor, at: Part) -> Result<(), TrainError> {
        let scaled = (at.scale != 1.0).then(|| loss.f_mul_scalar(at.scale)).transpose()?;
        self.exchange(scaled.as_ref().unwrap_or(loss), at.last)
    }

    fn exchange(&mut self, loss: &Tensor, last: bool) -> Result<(), TrainError> {
        match &mut self.member {
            Some(Member { exchanges: true, exchanged, reducer: Some((reducer, _)), traffic, .. }) if last => {
                *traffic = reducer.backward(loss)?;
                *exchanged = true;
                Ok(())
            }
            _ => Ok(loss.f_backward()?),
        }
    }

    /// Ends the exchange of an update: what it came to becomes what it came to on all ranks.
    ///
    /// # Errors
    /// A rank has failed, or is gone; no rank had a sample.
    pub(crate) fn agree(&mut self, step: &mut Step, number: u64) -> Result<(), TrainError> {
        if let Some(Member { exchanges: true, exchanged: false, reducer: Some((_, first)), .. }) =
            &self.member
        {
            // a rank without a batch has gradients of zero, and has to say so
            let nothing = first.f_sum(Kind::Float)?.f_mul_scalar(0.0)?;
            self.exchange(&nothing, true)?;
        }
        let Some(member) = &mut self.member else { return Ok(()) };
        let failed = member.failed.take();
        let flag = |raised: bool| f64::from(u8::from(raised));
        let mut numbers = vec![step.count as f64, flag(member.asked), flag(failed.is_some())];
        numbers.extend(flat(&step.scores));
        let sums = member.ranks.group.sums(&numbers)?;
        let (&[count, stops, fails], scores) =
            sums.split_first_chunk::<3>().ok_or_else(|| TrainError::State("ranks said too little".into()))?;
        member.stops = stops > 0.0;
        if fails > 0.0 {
            return Err(first_failure(&member.ranks, failed, number)?);
        }
        if count == 0.0 {
            return Err(TrainError::Unreadable(number + 1));
        }
        step.scores = unflat(scores);
        (step.count, step.end.count) = (count as u64, count as u64);
        Ok(())
    }

    /// Scores of all ranks together.
    pub(crate) fn summed(&self, scores: Vec<Score>) -> Result<Vec<Score>, TrainError> {
        let Some(member) = &self.member else { return Ok(scores) };
        Ok(unflat(&member.ranks.group.sums(&flat(&scores))?))
    }

    /// Whether the run is to stop here: `asked` is what this process was told. Among ranks it is told to the others with
    /// the next update, so that all stop after the same one.
    pub(crate) fn stops(&mut self, asked: bool) -> bool {
        match &mut self.member {
            None => asked,
            Some(member) => {
                member.asked |= asked;
                member.stops
            }
        }
    }

    /// Makes BatchNorm's statistics rank 0's: each rank has seen other samples.
    pub(crate) fn settle(&self) -> Result<(), TrainError> {
        self.member.as_ref().map_or(Ok(()), |member| member.ranks.take_first(&self.runner.model, &[]))
    }

    /// Holds the weights of all ranks against each other: by construction they are the same, to the last bit.
    ///
    /// # Errors
    /// A rank has other weights, or is gone.
    pub(crate) fn same_weights(&self, update: u64) -> Result<(), TrainError> {
        let Some(member) = &self.member else { return Ok(()) };
        let mut hasher = Xxh3::new();
        for entry in self.runner.model.store.entries().iter().filter(|entry| entry.tensor.requires_grad()) {
            let values = entry.tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
            hasher.update(luthier_torch::bytes_of(&values)?);
        }
        let sums = member.ranks.group.gather(&hasher.digest().to_le_bytes())?;
        match sums.iter().position(|sum| Some(sum) != sums.first()) {
            Some(rank) => Err(TrainError::Drifted { rank, update }),
            None => Ok(()),
        }
    }

    /// A fresh optimizer moves other parameters: gradients are put in other buckets.
    pub(crate) fn forget_reducer(&mut self) {
        if let Some(member) = &mut self.member {
            member.reducer = None;
        }
    }

    /// Parameters that the optimizer moves, in the model's order.
    fn moving(&self) -> Vec<Tensor> {
        let own: HashMap<&str, &Tensor> = self.optimizer.params().collect();
        let entries = self.runner.model.store.entries().iter();
        entries.filter_map(|entry| Some(own.get(entry.name.as_str())?.shallow_clone())).collect()
    }
}

/// Numbers of a score.
pub(super) const NUMBERS: usize = 7;

/// Scores as numbers that can be summed.
pub(super) fn flat(scores: &[Score]) -> Vec<f64> {
    let numbers = |score: &Score| {
        let counts = [score.right, score.top5, score.anchors, score.active, score.barren];
        let [right, top5, anchors, active, barren] = counts.map(|count| count as f64);
        [score.loss, score.denominator, right, top5, anchors, active, barren]
    };
    scores.iter().flat_map(numbers).collect()
}

/// The other way round.
pub(super) fn unflat(numbers: &[f64]) -> Vec<Score> {
    let (scores, _) = numbers.as_chunks::<NUMBERS>();
    let one = |&[loss, denominator, right, top5, anchors, active, barren]: &[f64; NUMBERS]| {
        let [right, top5, anchors, active, barren] =
            [right, top5, anchors, active, barren].map(|count| count as u64);
        Score { loss, denominator, right, top5, anchors, active, barren }
    };
    scores.iter().map(one).collect()
}
