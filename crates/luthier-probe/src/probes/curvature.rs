//! Largest curvature of the loss at the start: power iteration, beginning along the gradient, with products of the
//! Hessian and a vector from differences of two gradients.

use luthier_doctor::ProbeFacts;
use luthier_train::{Batch, TrainError};
use tch::Tensor;

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::look::gradients;
use crate::norms::{dot, length};

/// The iteration ends here, or when a round changes the result by less than [`ENOUGH`].
const ROUNDS: usize = 12;
const ENOUGH: f64 = 0.02;
/// Samples at most.
const SAMPLES: usize = 64;
/// Length of the step to either side, relative to that of the weights: the gradients' rounding is a millionth.
const STEP: f64 = 3e-4;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    // two gradients a round, six rounds at least
    let count = bench.affordable(13.0, clock.left(), SAMPLES);
    let all = bench.first.indices.len();
    if count < all.min(SAMPLES) {
        let why = format!("it is of {count} of the {all} samples of a batch, for the budget");
        facts.skipped.push(("curvature.samples".into(), why));
    }
    let found = bench.exact(|bench| {
        let batch = bench.short(bench.small(count)?)?;
        largest(bench, &batch, clock)
    })?;
    match found {
        Some(curvature) => facts.curvature = Some(curvature),
        None => {
            return Err(Left(
                "the gradient is zero or not finite: there is no direction to begin with".into(),
            ));
        }
    }
    Ok(())
}

fn largest(bench: &Bench, batch: &Batch, clock: Clock) -> Result<Option<f64>, TrainError> {
    let start = copies(&bench.job.optimizer().values())?;
    let Some(mut direction) = unit(gradient(bench, batch)?)? else { return Ok(None) };
    let step = STEP * length(&start)?.max(1.0);
    let mut found: Option<f64> = None;
    for round in 0..ROUNDS {
        let ahead = at(bench, batch, &start, &direction, step)?;
        let behind = at(bench, batch, &start, &direction, -step)?;
        let product: Vec<Tensor> = ahead
            .iter()
            .zip(&behind)
            .map(|(a, b)| Ok(a.f_sub(b)?.f_div_scalar(2.0 * step)?))
            .collect::<Result<_, TrainError>>()?;
        let curvature = dot(&direction, &product)?;
        if !curvature.is_finite() {
            return Ok(None);
        }
        let settled = found.is_some_and(|last| (curvature - last).abs() <= ENOUGH * curvature.abs());
        found = Some(curvature);
        // two rounds whatever the clock says: the first is the curvature along the gradient alone
        if settled || (clock.over() && round > 0) {
            break;
        }
        match unit(product)? {
            Some(next) => direction = next,
            None => break,
        }
    }
    Ok(found)
}

/// The gradient at `step` along a direction from where the weights started.
fn at(
    bench: &Bench,
    batch: &Batch,
    start: &[Tensor],
    direction: &[Tensor],
    step: f64,
) -> Result<Vec<Tensor>, TrainError> {
    {
        let _quiet = tch::no_grad_guard();
        for ((values, start), direction) in bench.job.optimizer().values().iter().zip(start).zip(direction) {
            values.shallow_clone().f_copy_(&start.f_add(&direction.f_mul_scalar(step)?)?)?;
        }
    }
    gradient(bench, batch)
}

fn gradient(bench: &Bench, batch: &Batch) -> Result<Vec<Tensor>, TrainError> {
    gradients(bench, batch, true)?;
    bench.job.optimizer().gradients()
}

fn copies(tensors: &[&Tensor]) -> Result<Vec<Tensor>, TrainError> {
    let _quiet = tch::no_grad_guard();
    tensors.iter().map(|tensor| Ok(tensor.f_detach_copy()?)).collect()
}

/// The list at length 1; `None` where it has none.
fn unit(list: Vec<Tensor>) -> Result<Option<Vec<Tensor>>, TrainError> {
    let norm = length(&list)?;
    if !(norm.is_finite() && norm > 0.0) {
        return Ok(None);
    }
    let scaled: Result<Vec<Tensor>, TrainError> =
        list.iter().map(|tensor| Ok(tensor.f_div_scalar(norm)?)).collect();
    Ok(Some(scaled?))
}
