//! The first updates as the run would make them: how far every tensor moves, and which should and do not.

use std::time::Instant;

use luthier_doctor::{ProbeFacts, StepFacts};
use luthier_plan::Role;
use luthier_train::{TrainError, Update};
use tch::Tensor;

use super::start::tensor_gradients;
use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::look::forward;
use crate::norms::{distance, told};
use crate::points::{What, dead_share, watched};

/// Updates that are looked at, and the fewest that are made whatever the clock says.
const MOST: usize = 5;
const FEWEST: usize = 2;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let accumulated = bench.plan().recipe.train.grad_accum;
    let mut batches = bench.runner().feed.train(0, 0)?;
    let mut rates = false;
    let (mut trouble, mut fastest) = (None, f64::INFINITY);
    while facts.steps.len() < MOST && (facts.steps.len() < FEWEST || !clock.over()) {
        let Some(mut update) = batches.next_update(accumulated)? else { break };
        for batch in std::mem::take(&mut update.batches) {
            update.batches.push(bench.short(batch)?);
        }
        let began = Instant::now();
        let number = facts.steps.len();
        match step(bench, &update, number) {
            Ok((step, dead)) => {
                // what runs before this update is what the one before it left
                if let Some(before) = facts.steps.last_mut() {
                    before.dead = dead;
                }
                rates |= step.lr.iter().any(|lr| *lr > 0.0);
                facts.steps.push(step);
            }
            Err(error @ TrainError::Diverged { .. }) => {
                trouble = Some(error);
                break;
            }
            Err(error) => return Err(error.into()),
        }
        let samples: usize = update.batches.iter().map(|batch| batch.labels.len()).sum();
        fastest = fastest.min(began.elapsed().as_secs_f64() / samples.max(1) as f64);
    }
    // the first one compiled kernels
    bench.seconds_own = if fastest.is_finite() { fastest } else { bench.seconds_exact };
    if trouble.is_none() && !facts.steps.is_empty() {
        let (_, points) = watched(What::Dead, || forward(bench.runner(), &bench.first, true))?;
        if let Some(last) = facts.steps.last_mut() {
            last.dead = dead_share(&points);
        }
    }
    moved(bench, facts, rates)?;
    trouble.map_or(Ok(()), |error| Err(Left(error.to_string())))
}

/// One update, and the share of dead units in its forward pass.
fn step(bench: &mut Bench, update: &Update, number: usize) -> Result<(StepFacts, f64), TrainError> {
    let factor = bench.plan().lr_factors.get(number).copied().unwrap_or(1.0);
    let (mut half, points) = watched(What::Dead, || bench.gradients(update, number as u64))?;
    let mut tensors = tensor_gradients(bench)?;
    let before: Vec<Tensor> = {
        let _quiet = tch::no_grad_guard();
        let copy = |entry: &luthier_model::Entry| Ok(entry.tensor.f_detach_copy()?);
        bench.runner().model.trainable().map(copy).collect::<Result<_, TrainError>>()?
    };
    bench.job.apply(&mut half, factor)?;
    let (mut moved, mut whole) = (0.0, 0.0);
    let trained = bench.runner().model.trainable();
    for ((entry, before), point) in trained.zip(&before).zip(&mut tensors) {
        point.update = told(distance(&entry.tensor, before)?);
        if entry.tensor.dim() > 1 {
            moved += point.update.powi(2);
            whole += point.norm.powi(2);
        }
    }
    let facts = StepFacts {
        loss: half.end.loss,
        lr: half.end.lr,
        grad_norm: half.end.grad_norm,
        clipped: half.end.clipped,
        ratio: if whole > 0.0 { told((moved / whole).sqrt()) } else { 0.0 },
        tensors,
        dead: 0.0,
    };
    Ok((facts, dead_share(&points)))
}

/// Names what should have moved and did not, and what moved and should not.
fn moved(bench: &Bench, facts: &mut ProbeFacts, rates: bool) -> Result<(), TrainError> {
    let _quiet = tch::no_grad_guard();
    let plan = bench.plan();
    let resting = plan.stages.first().map_or(&[][..], |stage| stage.resting.as_slice());
    let trained = |index: usize| plan.model.tensors[index].trainable && !resting.contains(&index);
    let entries = bench.runner().model.store.entries();
    for (index, (entry, start)) in entries.iter().zip(bench.start()).enumerate() {
        let same = entry.tensor.f_detach()?.f_equal(start)?;
        let name = || entry.name.clone();
        match entry.role {
            Role::Buffer if !same && !lives(bench, index, trained) => facts.drifted_buffers.push(name()),
            Role::Buffer => {}
            _ if trained(index) && same && rates && !facts.steps.is_empty() => facts.stuck.push(name()),
            _ if !trained(index) && !same => facts.drifted.push(name()),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a buffer's own layer has a parameter that is trained.
fn lives(bench: &Bench, buffer: usize, trained: impl Fn(usize) -> bool) -> bool {
    let tensors = &bench.plan().model.tensors;
    let layer = |name: &str| name.rsplit_once('.').map_or("", |(layer, _)| layer).to_owned();
    let own = layer(&tensors[buffer].name);
    (0..tensors.len()).any(|at| trained(at) && layer(&tensors[at].name) == own)
}
