//! Numbers that go into the network in training: as much of the first epoch as the clock allows.

use luthier_doctor::{InputFacts, ProbeFacts};
use luthier_train::{Batch, Batches, TrainError};
use tch::{Kind, Tensor};

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::norms::told;
use crate::samples::numbers;

/// Samples with a number that is not finite that are named.
const MOST_BAD: usize = 10;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let batches = bench.runner().feed.train(0, 0)?;
    facts.inputs = Some(looked_at(batches, clock)?);
    Ok(())
}

/// Sums up batches until they or the time end.
pub(super) fn looked_at(mut batches: Batches, clock: Clock) -> Result<InputFacts, Left> {
    let mut sums = Sums::default();
    while let Some(update) = batches.next_update(1)? {
        for batch in &update.batches {
            let Some(x) = numbers(batch) else { return Err(texts()) };
            sums.add(x, batch, |index| batches.place_of(index))?;
        }
        if clock.over() {
            break;
        }
    }
    Ok(sums.facts())
}

/// Said of data that goes in as tokens.
pub(super) fn texts() -> Left {
    Left("texts go in as tokens, not as numbers".into())
}

/// Mean and variance of each channel or feature, batch by batch (Chan, Golub and LeVeque 1979).
#[derive(Default)]
struct Sums {
    /// Numbers of each channel
    each: f64,
    mean: Vec<f64>,
    /// Sum of squared deviations
    square: Vec<f64>,
    min: Option<f64>,
    max: Option<f64>,
    bad: Vec<String>,
}

impl Sums {
    /// Adds a batch `[N, C, …]`; samples with a number that is not finite are named and left out.
    pub fn add(
        &mut self,
        x: &Tensor,
        batch: &Batch,
        place: impl Fn(u32) -> String,
    ) -> Result<(), TrainError> {
        let _quiet = tch::no_grad_guard();
        let fine = x.f_isfinite()?.f_flatten(1, -1)?.f_all_dim(1, false)?.f_to_kind(Kind::Int64)?;
        let fine = Vec::<i64>::try_from(fine.f_to_device(tch::Device::Cpu)?)?;
        let good: Vec<i64> = (0..).zip(&fine).filter(|(_, fine)| **fine == 1).map(|(row, _)| row).collect();
        for (index, _) in batch.indices.iter().zip(&fine).filter(|(_, fine)| **fine == 0) {
            if self.bad.len() < MOST_BAD {
                self.bad.push(place(*index));
            }
        }
        if good.is_empty() {
            return Ok(());
        }
        let whole = good.len() == fine.len();
        let x = if whole {
            x.shallow_clone()
        } else {
            x.f_index_select(0, &Tensor::f_from_slice(&good)?.f_to_device(x.device())?)?
        };
        let others: Vec<i64> = (0..x.dim() as i64).filter(|dim| *dim != 1).collect();
        let channels = x.size().get(1).copied().unwrap_or(1).max(1) as f64;
        let count = x.numel() as f64 / channels;
        let x = x.f_to_kind(Kind::Double)?;
        let mean = Vec::<f64>::try_from(x.f_mean_dim(others.as_slice(), false, Kind::Double)?)?;
        let variance = Vec::<f64>::try_from(x.f_var_dim(others.as_slice(), false, false)?)?;
        self.min = Some(self.min.unwrap_or(f64::INFINITY).min(x.f_min()?.f_double_value(&[])?));
        self.max = Some(self.max.unwrap_or(f64::NEG_INFINITY).max(x.f_max()?.f_double_value(&[])?));
        self.merge(count, &mean, &variance);
        Ok(())
    }

    fn merge(&mut self, count: f64, mean: &[f64], variance: &[f64]) {
        self.mean.resize(mean.len(), 0.0);
        self.square.resize(mean.len(), 0.0);
        let total = self.each + count;
        for ((own, square), (mean, variance)) in
            self.mean.iter_mut().zip(&mut self.square).zip(mean.iter().zip(variance))
        {
            let apart = mean - *own;
            *square += variance * count + apart * apart * self.each * count / total;
            *own += apart * count / total;
        }
        self.each = total;
    }

    pub fn facts(self) -> InputFacts {
        let std = self.square.iter().map(|square| told((square / self.each).sqrt())).collect();
        InputFacts {
            count: (self.each * self.mean.len() as f64) as u64,
            min: self.min.unwrap_or(0.0),
            max: self.max.unwrap_or(0.0),
            mean: self.mean,
            std,
            bad: self.bad,
        }
    }
}
