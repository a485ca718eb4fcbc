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
    pub minimised: Tensor,
    /// The mean of the losses, whatever the reduction
    mean: Tensor,
}

impl Look {
    /// The mean of the losses.
    pub fn loss(&self) -> Result<f64, TrainError> {
        Ok(self.mean.f_double_value(&[])?)
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
    let _draws = manual_seed(seed);
    let outputs = runner.forward(batch, train)?;
    let sums = runner.objective.sums(&outputs, batch)?;
    let denominators = runner.objective.denominators(batch);
    let minimised = runner.objective.minimised(&sums, &denominators)?;
    let mean = runner.objective.mean_of(&sums, &denominators)?.f_detach()?;
    Ok(Look { outputs, minimised, mean })
}

/// What the network gives for a batch, without a graph and without a loss.
pub(crate) fn forward(runner: &Runner, batch: &Batch, train: bool) -> Result<Tensor, TrainError> {
    let _quiet = tch::no_grad_guard();
    let _draws = manual_seed(SEED);
    runner.forward(batch, train)
}

/// As [`look`], without a graph.
pub(crate) fn glance(runner: &Runner, batch: &Batch, train: bool) -> Result<Look, TrainError> {
    let _quiet = tch::no_grad_guard();
    look(runner, batch, train)
}

/// Loss in evaluation and the score over several batches: the share of right answers, or R² of a regression.
pub(crate) fn evaluated(runner: &Runner, batches: &[Batch]) -> Result<(f64, f64), TrainError> {
    let (mut loss, mut weight, mut right, mut count) = (0.0, 0.0, 0.0, 0.0);
    let (mut outputs, mut truths) = (Vec::new(), Vec::new());
    for batch in batches {
        let seen = glance(runner, batch, false)?;
        let own = runner.objective.first().denominator(&batch.labels);
        loss += seen.loss()? * own;
        weight += own;
        match &batch.values {
            Some(values) => {
                outputs.push(seen.outputs);
                truths.push(values.shallow_clone());
            }
            None => {
                let heads = runner.objective.right(&seen.outputs, batch)?;
                right += heads.iter().sum::<u64>() as f64 / heads.len() as f64;
            }
        }
        count += batch.labels.len() as f64;
    }
    let score = if outputs.is_empty() { right / count } else { explained(&outputs, &truths)? };
    Ok((loss / weight, score))
}

/// R², mean over the targets: `[N, targets]` each. A target that does not vary has 0.
fn explained(outputs: &[Tensor], truths: &[Tensor]) -> Result<f64, TrainError> {
    let (outputs, truths) = (Tensor::f_cat(outputs, 0)?, Tensor::f_cat(truths, 0)?);
    let squares = |x: Tensor| x.f_square()?.f_sum_dim_intlist(0, false, Kind::Double);
    let left = squares(outputs.f_sub(&truths)?)?;
    let all = squares(truths.f_sub(&truths.f_mean_dim(0, true, Kind::Float)?)?)?;
    let share = left.f_div(&all.f_clamp_min(f64::MIN_POSITIVE)?)?.f_clamp_max(1e6)?;
    Ok(1.0 - share.f_mean(Kind::Double)?.f_double_value(&[])?)
}

/// Clears the gradients, then puts those of a batch on the parameters; returns the loss as it is minimised.
pub(crate) fn gradients(bench: &Bench, batch: &Batch, train: bool) -> Result<f64, TrainError> {
    bench.job.optimizer().clear_grads()?;
    let seen = look(bench.runner(), batch, train)?;
    seen.minimised.f_backward()?;
    Ok(seen.minimised.f_double_value(&[])?)
}
