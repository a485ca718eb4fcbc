//! A job that is one of several.

use std::rc::Rc;

use luthier_plan::watch::{BAD_INPUT, NOT_FINITE};
use luthier_recipe::Reduction;
use luthier_torch::{Reducer, Traffic};
use tch::{Kind, Tensor};
use xxhash_rust::xxh3::Xxh3;

use super::Ranks;
use crate::ema::Ema;
use crate::job::Job;
use crate::step::{Step, mix};
use crate::{Runner, TrainError};

/// What a job keeps as one of several.
pub(crate) struct Member {
    ranks: Rc<Ranks>,
    /// Made anew with every optimizer, on the first backward pass
    reducer: Option<Reducer>,
    /// The gradients of the update under way are summed
    exchanged: bool,
    /// Why this rank cannot go on, to be told when the others listen
    failed: Option<TrainError>,
    /// This rank was asked to stop
    asked: bool,
    /// A rank was, and all know
    stops: bool,
    traffic: Traffic,
}

impl Member {
    /// The backward pass of `loss`, with the gradients of the parameters that `moving` names summed meanwhile.
    fn exchange(&mut self, loss: &Tensor, moving: impl FnOnce() -> Vec<Tensor>) -> Result<(), TrainError> {
        let reducer = match self.reducer.take() {
            Some(reducer) => reducer,
            None => Reducer::new(Rc::clone(&self.ranks.group), &moving(), self.ranks.bucket_bytes)?,
        };
        self.traffic = self.reducer.insert(reducer).backward(loss)?;
        self.exchanged = true;
        Ok(())
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
        if let Some(ema) = self.runner.plan.recipe.train.ema {
            self.ema = Some(Ema::new(ema.decay, &self.optimizer.values())?);
        }
        self.runner.share(Rc::clone(&ranks));
        self.member = Some(Member {
            ranks,
            reducer: None,
            exchanged: false,
            failed: None,
            asked: false,
            stops: false,
            traffic: Traffic::default(),
        });
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

    /// What the losses of an update are divided by in its backward pass: `own`, which the batches have; among ranks, what
    /// full batches have on all of them, and [`Job::agree`] puts it right.
    pub(crate) fn divisor(&self, own: f64) -> f64 {
        if self.member.is_none() { own } else { self.runner.plan.length.effective_batch as f64 }
    }

    /// The backward pass of a batch; of an update's last one, gradients are summed over the ranks meanwhile.
    pub(crate) fn backward(&mut self, loss: &Tensor, last: bool) -> Result<(), TrainError> {
        let Some(mut member) = self.member.take_if(|_| last) else { return Ok(loss.f_backward()?) };
        let told = member.exchange(loss, || self.moving());
        self.member = Some(member);
        told
    }

    /// An error that all ranks must hear of: alone, it ends the run here; otherwise at the next [`Job::agree`].
    pub(crate) fn fail(&mut self, error: TrainError) -> Result<(), TrainError> {
        match &mut self.member {
            None => Err(error),
            Some(member) => {
                member.failed.get_or_insert(error);
                Ok(())
            }
        }
    }

    /// Ends the exchange of an update: what it came to becomes what it came to on all ranks.
    ///
    /// # Errors
    /// A rank has failed, or is gone; no rank had a sample.
    pub(crate) fn agree(&mut self, step: &mut Step, number: u64) -> Result<(), TrainError> {
        if self.member.as_ref().is_some_and(|member| !member.exchanged) {
            // a rank without a batch has gradients of zero, and has to say so
            let nothing = self.moving().first().map(|param| param.f_sum(Kind::Float)?.f_mul_scalar(0.0));
            if let Some(nothing) = nothing {
                self.backward(&nothing?, true)?;
            }
        }
        let Some(member) = &mut self.member else { return Ok(()) };
        member.exchanged = false;
        let failed = member.failed.take();
        let flag = |raised: bool| f64::from(u8::from(raised));
        let sums = member.ranks.group.sums(&[
            step.loss_sum,
            step.denominator,
            step.end.correct as f64,
            step.count as f64,
            flag(member.asked),
            flag(failed.is_some()),
        ])?;
        let [loss, denominator, correct, count, stops, fails] = sums[..] else {
            return Err(TrainError::State("ranks exchanged another count of numbers".into()));
        };
        member.stops = stops > 0.0;
        if fails > 0.0 {
            return Err(first_failure(&member.ranks, failed, number)?);
        }
        if count == 0.0 {
            return Err(TrainError::Unreadable(number + 1));
        }
        (step.loss_sum, step.denominator, step.count) = (loss, denominator, count as u64);
        (step.end.correct, step.end.count) = (correct as u64, count as u64);
        let nominal = self.divisor(denominator);
        if self.runner.objective.loss.reduction() == Reduction::Mean && nominal != denominator {
            self.optimizer.scale_grads(nominal / denominator)?;
        }
        Ok(())
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
        let Some(member) = &self.member else { return Ok(()) };
        for entry in self.runner.model.store.entries() {
            if entry.role == luthier_plan::Role::Buffer {
                member.ranks.group.broadcast(&entry.tensor, 0)?;
            }
        }
        Ok(())
    }

    /// Holds the weights of all ranks against each other: by construction they are the same, to the last bit.
    ///
    /// # Errors
    /// A rank has other weights, or is gone.
    pub(crate) fn same_weights(&self, update: u64) -> Result<(), TrainError> {
        let Some(member) = &self.member else { return Ok(()) };
        let mut hasher = Xxh3::new();
        for flat in self.optimizer.values() {
            let flat = flat.f_detach()?.f_to_device(tch::Device::Cpu)?;
            hasher.update(luthier_torch::bytes_of(&flat)?);
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

    /// Parameters that want a gradient, in the model's order.
    fn moving(&self) -> Vec<Tensor> {
        let entries = self.runner.model.store.entries().iter();
        entries
            .filter(|entry| entry.tensor.requires_grad())
            .map(|entry| entry.tensor.shallow_clone())
            .collect()
    }
}

/// The error of the first rank that failed, which all ranks report.
fn first_failure(ranks: &Ranks, own: Option<TrainError>, number: u64) -> Result<TrainError, TrainError> {
    let told = own.map(|error| match error {
        TrainError::Diverged { rule, what, help, .. } => (rule.to_owned(), what, help),
        other => (NOT_FINITE.to_owned(), other.to_string(), String::new()),
    });
    let said = ranks.group.gather(&serde_json::to_vec(&told).unwrap_or_default())?;
    for (rank, bytes) in said.iter().enumerate() {
        let told: Option<(String, String, String)> = serde_json::from_slice(bytes).unwrap_or_default();
        if let Some((rule, what, help)) = told {
            let rule = if rule == BAD_INPUT { BAD_INPUT } else { NOT_FINITE };
            let what = format!("on rank {rank}, {what}");
            return Ok(TrainError::Diverged { update: number + 1, rule, what, help });
        }
    }
    Ok(TrainError::State("a rank failed and did not say why".into()))
}
