//! What a session runs: a model, its data and the optimizer that moves it.

use std::sync::Arc;

use luthier_plan::{GroupPlan, Role, TensorPlan};
use luthier_recipe::Rule;
use luthier_torch::clear_grad;
use tch::Tensor;

use crate::checkpoint::Tensors;
use crate::ema::Ema;
use crate::feed::format_of;
use crate::optim::Optimizer;
use crate::runner::Runner;
use crate::{Checkpoint, TrainError};

/// What a session runs.
pub struct Job {
    pub(crate) runner: Runner,
    pub(crate) optimizer: Optimizer,
    pub(crate) ema: Option<Ema>,
    /// Among other ranks
    pub(crate) member: Option<crate::ranks::Member>,
    stage: usize,
}

/// An optimizer of what a stage trains, by `rule` and with the rates of `groups`; only that wants gradients from here on.
pub(crate) fn optimizer_of(
    runner: &Runner,
    stage: usize,
    rule: &Rule,
    groups: &[GroupPlan],
) -> Result<Optimizer, TrainError> {
    let plan = &runner.plan;
    let resting = plan.stages.get(stage).map_or(&[][..], |stage| stage.resting.as_slice());
    let entries = runner.model.store.entries();
    for (index, (entry, planned)) in entries.iter().zip(&plan.model.tensors).enumerate() {
        if planned.trainable {
            clear_grad(&entry.tensor)?;
            let _ = entry.tensor.shallow_clone().f_requires_grad_(!resting.contains(&index))?;
        }
    }
    let tensors: Vec<Tensor> = entries.iter().map(|entry| entry.tensor.shallow_clone()).collect();
    let format = format_of(plan);
    Optimizer::new(rule, groups, &plan.model.tensors, resting, &tensors, format)
}

impl Job {
    /// Takes the parameters that the first stage trains onto the optimizer's flat buffers.
    pub fn new(runner: Runner) -> Result<Self, TrainError> {
        let plan = Arc::clone(&runner.plan);
        let optimizer = optimizer_of(&runner, 0, &plan.recipe.optim.rule, &plan.groups)?;
        let ema = runner.plan.recipe.train.ema;
        let ema = ema.map(|ema| Ema::new(ema.decay, &optimizer.values())).transpose()?;
        Ok(Job { runner, optimizer, ema, member: None, stage: 0 })
    }

    /// Begins a stage: its parameters on a fresh optimizer, all others at rest, and nothing kept of an earlier prefix.
    pub(crate) fn enter(&mut self, stage: usize) -> Result<(), TrainError> {
        self.runner.feed.prefix = None;
        self.forget_reducer();
        self.stage = stage;
        let plan = &self.runner.plan;
        self.optimizer = optimizer_of(&self.runner, stage, &plan.recipe.optim.rule, &plan.groups)?;
        Ok(())
    }

    /// Index of the stage that is running.
    pub(crate) fn stage(&self) -> usize {
        self.stage
    }

    /// Goes back to where `checkpoint` was written.
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let plan = Arc::clone(&self.runner.plan);
        tch::no_grad(|| {
            self.runner.model.load_strict(&checkpoint.raw())?;
            let stage = plan.stage_of(checkpoint.state.epoch);
            if stage != self.stage {
                self.enter(stage)?;
            }
            let begun =
                plan.stages.get(stage).map_or(0, |stage| stage.first_epoch) * plan.length.updates_per_epoch;
            // between two stages, what the optimizer remembers is that of the one before
            let steps = checkpoint.state.update.saturating_sub(begun);
            if steps > 0 {
                self.optimizer.restore(steps, |name| checkpoint.optimizer(name))?;
            }
            if let Some(ema) = &self.ema {
                for (name, mut average) in ema.named(&self.optimizer)? {
                    average.f_copy_(&checkpoint.average(&name)?)?;
                }
            }
            Ok(())
        })
    }

    /// What a checkpoint keeps besides the state. Parameters that no stage trains are told apart: they are written once.
    pub(crate) fn tensors(&self) -> Result<Tensors, TrainError> {
        let average = self.ema.as_ref().map(|ema| ema.named(&self.optimizer)).transpose()?;
        let state = self.runner.model.state().into_iter().zip(&self.runner.plan.model.tensors);
        let (frozen, model): (Vec<_>, Vec<_>) =
            state.partition(|(_, planned)| planned.role != Role::Buffer && !planned.trainable);
        let tensors =
            |pairs: Vec<((String, Tensor), &TensorPlan)>| pairs.into_iter().map(|(pair, _)| pair).collect();
        Ok(Tensors {
            model: tensors(model),
            frozen: tensors(frozen),
            optimizer: self.optimizer.state()?,
            average,
        })
    }

    /// Exchanges the weights and their average, where the run keeps one.
    pub(crate) fn swap_average(&mut self) -> Result<(), TrainError> {
        match &mut self.ema {
            Some(ema) => ema.swap(&self.optimizer.values()),
            None => Ok(()),
        }
    }
}
