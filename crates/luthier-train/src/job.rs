//! What a session runs: a model, its data and the optimizer that moves it.

use std::rc::Rc;
use std::sync::Arc;

use luthier_plan::{GroupPlan, Role, TensorPlan};
use luthier_recipe::{Interleave, Rule};
use luthier_torch::clear_grad;
use tch::Tensor;

use crate::checkpoint::Tensors;
use crate::contrast::Contrast;
use crate::ema::{Ema, averaged};
use crate::feed::format_of;
use crate::optim::Optimizer;
use crate::runner::Runner;
use crate::scaler::{Scaler, Scaling};
use crate::weighting::Weighting;
use crate::{Checkpoint, TrainError};

/// What a session runs.
pub struct Job {
    pub(crate) runner: Runner,
    pub(crate) optimizer: Optimizer,
    pub(crate) ema: Option<Ema>,
    /// In fp16: what the loss is multiplied by. A stream without an optimizer of its own has its share scaled by another's
    pub(crate) scaler: Option<Scaler>,
    /// Weights of several heads that are learned
    pub(crate) weighting: Option<Weighting>,
    /// Among other ranks
    pub(crate) member: Option<crate::ranks::Member>,
    stage: usize,
    /// What a contrastive run has beside the model
    pub(crate) contrast: Option<Contrast>,
    /// The other streams: the same model, other samples and optimizers
    pub(crate) others: Vec<Job>,
}

/// An optimizer of what a stage trains, by `rule` and with the rates of `groups`; only that wants gradients from here on.
pub(crate) fn optimizer_of(
    runner: &Runner,
    stage: usize,
    rule: &Rule,
    groups: &[GroupPlan],
    beside: bool,
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
    Optimizer::new(rule, groups, &plan.model.tensors, resting, &tensors, format, beside)
}

impl Job {
    /// Takes the parameters that the first stage trains onto the optimizer's flat buffers.
    pub fn new(runner: Runner) -> Result<Self, TrainError> {
        let plan = Arc::clone(&runner.plan);
        let optimizer = optimizer_of(&runner, 0, &plan.recipe.optim.rule, &plan.groups, false)?;
        // with one optimizer for the sum of all streams, the others have none
        let summed = plan.recipe.train.interleave == Interleave::Sum;
        let mut others = Vec::new();
        for stream in &plan.streams {
            let runner = Runner::over(stream.clone(), Rc::clone(&runner.model))?;
            let groups = if summed { &[][..] } else { stream.groups.as_slice() };
            let optimizer = optimizer_of(&runner, 0, &stream.recipe.optim.rule, groups, true)?;
            let weighting = Weighting::new(stream)?;
            let (stage, others_of_it) = (0, Vec::new());
            let (ema, member, contrast) = (None, None, None);
            let scaler = Scaler::new(&plan.recipe.train, plan.precision).filter(|_| !summed);
            others.push(Job {
                runner,
                optimizer,
                ema,
                scaler,
                weighting,
                member,
                stage,
                contrast,
                others: others_of_it,
            });
        }
        let weighting = Weighting::new(&plan)?;
        let contrast = Contrast::new(&runner)?;
        let scaler = Scaler::new(&plan.recipe.train, plan.precision);
        let (ema, member, stage) = (None, None, 0);
        let mut job = Job { runner, optimizer, ema, scaler, weighting, member, stage, contrast, others };
        job.begin_average()?;
        Ok(job)
    }

    /// Begins the average of the weights at what they are now, where the recipe asks for one.
    pub(crate) fn begin_average(&mut self) -> Result<(), TrainError> {
        let asked = self.runner.plan.recipe.train.ema;
        let values = || averaged(&self.optimizer, &self.others);
        self.ema = asked.map(|ema| Ema::new(ema.decay, &values())).transpose()?;
        Ok(())
    }

    /// Takes the weights as they are into their average, where the run keeps one.
    pub(crate) fn average(&mut self) -> Result<(), TrainError> {
        match &mut self.ema {
            Some(ema) => ema.update(&averaged(&self.optimizer, &self.others)),
            None => Ok(()),
        }
    }

    /// Begins a stage: its parameters on a fresh optimizer, all others at rest, and nothing kept of an earlier prefix.
    pub(crate) fn enter(&mut self, stage: usize) -> Result<(), TrainError> {
        self.runner.feed.prefix = None;
        self.forget_reducer();
        self.stage = stage;
        let plan = &self.runner.plan;
        self.optimizer = optimizer_of(&self.runner, stage, &plan.recipe.optim.rule, &plan.groups, false)?;
        if let Some(contrast) = &mut self.contrast {
            contrast.enter(&self.runner, stage)?;
        }
        if let Some(scaler) = &mut self.scaler {
            scaler.forget();
        }
        self.weighting.as_mut().map_or(Ok(()), Weighting::forget)
    }

    /// Index of the stage that is running.
    pub(crate) fn stage(&self) -> usize {
        self.stage
    }

    /// Goes back to where `checkpoint` was written.
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let plan = Arc::clone(&self.runner.plan);
        let summed = plan.recipe.train.interleave == Interleave::Sum;
        tch::no_grad(|| {
            self.runner.model.load_strict(&checkpoint.raw())?;
            let stage = plan.stage_of(checkpoint.state.epoch);
            if stage != self.stage {
                self.enter(stage)?;
            }
            let begun =
                plan.stages.get(stage).map_or(0, |stage| stage.first_epoch) * plan.length.updates_per_epoch;
            let scaling = checkpoint.state.scaling;
            // between two stages, what the optimizer remembers is that of the one before
            let updates = checkpoint.state.update.saturating_sub(begun);
            let steps = taken(updates, scaling);
            if updates > 0 {
                self.restore_scale(scaling);
            } else if let Some(scaling) = scaling {
                self.restore_scale(Some(Scaling { skipped: 0, ..scaling }));
            }
            if steps > 0 {
                self.optimizer.restore(steps, |name| checkpoint.optimizer(name))?;
            }
            if let Some(weighting) = &mut self.weighting {
                weighting.restore(steps, |name| checkpoint.optimizer(name))?;
            }
            for (job, state) in self.others.iter_mut().zip(&checkpoint.state.streams) {
                let stream = job.runner.plan.stream.clone();
                let find = |name: &str| checkpoint.optimizer(&own_name(&stream, name));
                job.restore_scale(state.scaling);
                // without an optimizer of its own, what it added was skipped with the first one's
                let steps = taken(state.update, state.scaling.or(scaling.filter(|_| summed)));
                if steps > 0 {
                    job.optimizer.restore(steps, find)?;
                }
                if let Some(weighting) = &mut job.weighting {
                    weighting.restore(steps, find)?;
                }
            }
            if let Some(contrast) = &mut self.contrast {
                contrast.restore(checkpoint)?;
            }
            if let Some(ema) = &self.ema {
                for (name, mut average) in ema.named(&self.optimizer, &self.others)? {
                    average.f_copy_(&checkpoint.average(&name)?)?;
                }
            }
            Ok(())
        })
    }

    fn restore_scale(&mut self, scaling: Option<Scaling>) {
        if let (Some(scaler), Some(scaling)) = (&mut self.scaler, scaling) {
            scaler.restore(scaling);
        }
    }

    /// What a checkpoint keeps besides the state. Parameters that no stage trains are told apart: they are written once.
    pub(crate) fn tensors(&self) -> Result<Tensors, TrainError> {
        let average = self.ema.as_ref().map(|ema| ema.named(&self.optimizer, &self.others)).transpose()?;
        let state = self.runner.model.state().into_iter().zip(&self.runner.plan.model.tensors);
        let (frozen, model): (Vec<_>, Vec<_>) =
            state.partition(|(_, planned)| planned.role != Role::Buffer && !self.moves(&planned.name));
        let tensors =
            |pairs: Vec<((String, Tensor), &TensorPlan)>| pairs.into_iter().map(|(pair, _)| pair).collect();
        let mut optimizer = self.remembered()?;
        for job in &self.others {
            let stream = &job.runner.plan.stream;
            optimizer.extend(job.remembered()?.into_iter().map(|(name, t)| (own_name(stream, &name), t)));
        }
        let contrast = self.contrast.as_ref().map(Contrast::tensors).transpose()?;
        let contrast = contrast.filter(|tensors| !tensors.is_empty());
        Ok(Tensors { model: tensors(model), frozen: tensors(frozen), optimizer, average, contrast })
    }

    /// What the optimizer remembers, and the weighting of the heads.
    fn remembered(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        let mut all = self.optimizer.state()?;
        if let Some(weighting) = &self.weighting {
            all.extend(weighting.state()?);
        }
        Ok(all)
    }

    /// Whether the optimizer of any stream moves the parameter of that name.
    fn moves(&self, name: &str) -> bool {
        let moved = |job: &Job| {
            job.runner.plan.model.tensors.iter().any(|tensor| tensor.trainable && tensor.name == name)
        };
        moved(self) || self.others.iter().any(moved)
    }

    /// Exchanges the weights and their average, where the run keeps one.
    pub(crate) fn swap_average(&mut self) -> Result<(), TrainError> {
        match &mut self.ema {
            Some(ema) => ema.swap(&averaged(&self.optimizer, &self.others)),
            None => Ok(()),
        }
    }
}

/// Steps that an optimizer has made in so many updates.
fn taken(updates: u64, scaling: Option<Scaling>) -> u64 {
    updates.saturating_sub(scaling.map_or(0, |scaling| scaling.skipped))
}

/// What a checkpoint calls a stream's share of what optimizers remember.
fn own_name(stream: &str, name: &str) -> String {
    format!("{stream}/{name}")
}
