//! Losses, outputs and scores of a batch.

use luthier_torch::manual_seed;
use luthier_train::{Batch, Runner, TrainError};
use tch::{Kind, Tensor};

use crate::bench::Bench;

/// What a forward pass came to.
pub(crate) struct Look {
    /// What goes into the loss, `[N, outputs]`, fp32
    pub outputs: Tensor,
    /// The loss as it is minimised, a scalar of the graph where gradients are kept
    pub loss: Tensor,
}

impl Look {
    pub fn loss(&self) -> Result<f64, TrainError> {
        Ok(self.loss.f_double_value(&[])?)
    }
}

/// Seed of dropout in a probe: the same for passes that are compared.
const SEED: u64 = 0x5eed;

/// Runs a batch, with a graph if gradients are on. In training mode the running statistics move, and dropout draws
/// the same each time.
pub(crate) fn look(runner: &Runner, batch: &Batch, train: bool) -> Result<Look, TrainError> {
    look_seeded(runner, batch, train, SEED)
}

/// As [`look`], with other numbers drawn.
pub(crate) fn look_seeded(
    runner: &Runner,
    batch: &Batch,
    train: bool,
    seed: u64,
) -> Result<Look, TrainError> {
    manual_seed(seed);
    let outputs = runner.forward(batch, train)?;
    let labels = Tensor::f_from_slice(&batch.labels)?.f_to_device(runner.device)?;
    let sum = runner.objective.sum(&outputs, &labels)?;
    let loss = sum.f_div_scalar(runner.objective.denominator(&batch.labels))?;
    Ok(Look { outputs, loss })
}

/// As [`look`], without a graph.
pub(crate) fn glance(runner: &Runner, batch: &Batch, train: bool) -> Result<Look, TrainError> {
    let _quiet = tch::no_grad_guard();
    look(runner, batch, train)
}

/// Loss in evaluation and share of right answers over several batches, true means.
pub(crate) fn evaluated(runner: &Runner, batches: &[Batch]) -> Result<(f64, f64), TrainError> {
    let (mut loss, mut weight, mut right, mut count) = (0.0, 0.0, 0.0, 0.0);
    for batch in batches {
        let seen = glance(runner, batch, false)?;
        let own = runner.objective.denominator(&batch.labels);
        loss += seen.loss()? * own;
        weight += own;
        right += hits(&seen.outputs, batch)?;
        count += batch.labels.len() as f64;
    }
    Ok((loss / weight, right / count))
}

/// Zeroes the gradients, then puts those of a batch on the parameters; returns the loss.
pub(crate) fn gradients(bench: &Bench, batch: &Batch, train: bool) -> Result<f64, TrainError> {
    bench.job.optimizer().clear_grads()?;
    let seen = look(bench.runner(), batch, train)?;
    seen.loss.f_backward()?;
    seen.loss()
}

fn hits(outputs: &Tensor, batch: &Batch) -> Result<f64, TrainError> {
    let labels = Tensor::f_from_slice(&batch.labels)?.f_to_device(outputs.device())?;
    let hits = outputs.f_argmax(-1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Float)?;
    Ok(hits.f_double_value(&[])?)
}
