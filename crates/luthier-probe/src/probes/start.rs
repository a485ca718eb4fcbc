//! The untrained model on its first batch: loss against theory, outputs, and the gradient of every tensor.

use std::time::Instant;

use luthier_doctor::{ProbeFacts, StartFacts, TensorPoint};
use luthier_plan::watch;
use luthier_recipe::Loss;
use tch::{Kind, Tensor};

use super::{Outcome, twins};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::look::{glance, gradients};
use crate::norms::{norm, told};
use crate::points::{What, watched};

/// A forward and backward pass in fp32 takes about so many times a forward pass in bf16.
const BACKWARD: f64 = 6.0;

/// Seconds above which compiling kernels does not count.
const WARM: f64 = 1.0;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let (seen, outputs) = watched(What::All, || glance(bench.runner(), &bench.first, true))?;
    bench.reset_buffers()?;
    // the first pass compiled kernels: this one is timed
    let began = Instant::now();
    let eval = glance(bench.runner(), &bench.first, false)?;
    let forward = began.elapsed().as_secs_f64();
    bench.seconds_forward = forward / bench.first.labels.len().max(1) as f64;
    let mut start = StartFacts {
        loss: told(seen.loss()?),
        eval_loss: told(eval.loss()?),
        expected: expected(bench),
        outputs,
        twins: twins::twins(bench)?,
        ..of_outputs(&seen.outputs)?
    };
    // the whole batch where the clock allows it
    let all = bench.first.indices.len();
    let affordable = (all as f64 * clock.left() / (BACKWARD * forward).max(1e-9)) as usize;
    let count = affordable.clamp(2, all.max(2)).min(all);
    if count < all {
        let why = format!("gradients are of {count} of the {all} samples of a batch, for the budget");
        facts.skipped.push(("start.gradients".into(), why));
    }
    start.gradients = bench.exact(|bench| {
        let batch = bench.short(bench.small(count)?)?;
        let mut seconds = f64::INFINITY;
        for _ in 0..2 {
            let began = Instant::now();
            bench.reset_buffers()?;
            gradients(bench, &batch, true)?;
            seconds = seconds.min(began.elapsed().as_secs_f64());
            if seconds > WARM {
                break;
            }
        }
        bench.seconds_exact = seconds / count as f64;
        tensor_gradients(bench)
    })?;
    facts.start = Some(start);
    Ok(())
}

/// What a model that knows nothing has.
fn expected(bench: &Bench) -> Option<f64> {
    let plan = bench.plan();
    if !plan.data.tasks.is_empty() {
        let mut losses = plan.data.tasks.iter().filter_map(|task| plan.recipe.model.heads.get(&task.head));
        let theory = losses.all(|head| matches!(head.loss, Loss::CrossEntropy { .. }));
        return watch::chance(plan).filter(|_| theory);
    }
    match &plan.recipe.loss {
        // label smoothing and class weights leave it: all classes are as likely
        Loss::CrossEntropy { .. } => Some((plan.data.classes.len() as f64).ln()),
        Loss::Bce { .. } => Some(f64::ln(2.0)),
        Loss::Mse { .. } => {
            let targets = plan.table.as_ref().map(|table| table.targets.as_slice())?;
            let squares = targets.iter().map(|target| (target.stats.std / target.scale.divisor).powi(2));
            (!targets.is_empty()).then(|| squares.sum::<f64>() / targets.len() as f64)
        }
        Loss::Mae { .. } | Loss::SmoothL1 { .. } | Loss::Hinge { .. } => None,
    }
}

/// The numbers of [`StartFacts`] that are of the outputs `[N, outputs]`.
fn of_outputs(outputs: &Tensor) -> Result<StartFacts, luthier_train::TrainError> {
    let value =
        |tensor: Tensor| -> Result<f64, luthier_train::TrainError> { Ok(told(tensor.f_double_value(&[])?)) };
    let sums = outputs.f_sum_dim_intlist(-1, false, Kind::Float)?;
    Ok(StartFacts {
        output_std: value(outputs.f_std_dim(0, false, false)?.f_mean(Kind::Float)?)?,
        output_max: value(outputs.f_abs()?.f_max()?)?,
        output_range: [value(outputs.f_min()?)?, value(outputs.f_max()?)?],
        row_sum_error: value(sums.f_sub_scalar(1.0)?.f_abs()?.f_max()?)?,
        ..Default::default()
    })
}

/// Every trained tensor with the norms of its value and of the gradient that stands on it.
pub(super) fn tensor_gradients(bench: &Bench) -> Result<Vec<TensorPoint>, luthier_train::TrainError> {
    let mut points = Vec::new();
    for entry in bench.runner().model.trainable() {
        let grad = luthier_torch::grad(&entry.tensor)?;
        points.push(TensorPoint {
            name: entry.name.clone(),
            norm: told(norm(&entry.tensor)?),
            grad: told(grad.as_ref().map_or(Ok(0.0), norm)?),
            update: 0.0,
            trust: None,
        });
    }
    Ok(points)
}
