//! What a session runs: a model, its data and the optimizer that moves it.

use tch::Tensor;

use crate::checkpoint::Tensors;
use crate::ema::Ema;
use crate::optim::Optimizer;
use crate::runner::Runner;
use crate::{Checkpoint, TrainError};

/// What a session runs.
pub struct Job {
    pub(crate) runner: Runner,
    pub(crate) optimizer: Optimizer,
    pub(crate) ema: Option<Ema>,
}

impl Job {
    /// Takes a runner's parameters onto the optimizer's flat buffers.
    pub fn new(runner: Runner) -> Result<Self, TrainError> {
        let plan = &runner.plan;
        let tensors: Vec<Tensor> =
            runner.model.store.entries().iter().map(|entry| entry.tensor.shallow_clone()).collect();
        let format = crate::feed::format_of(plan);
        let optimizer =
            Optimizer::new(&plan.recipe.optim.rule, &plan.groups, &plan.model.tensors, &tensors, format)?;
        let ema = plan.recipe.train.ema.map(|ema| Ema::new(ema.decay, &optimizer.values())).transpose()?;
        Ok(Job { runner, optimizer, ema })
    }

    /// Goes back to where `checkpoint` was written.
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        tch::no_grad(|| {
            self.runner.model.load_strict(checkpoint.raw())?;
            self.optimizer.restore(checkpoint.state.update, |name| checkpoint.optimizer(name))?;
            if let Some(ema) = &self.ema {
                for (name, mut average) in ema.named(&self.optimizer)? {
                    average.f_copy_(&checkpoint.average(&name)?)?;
                }
            }
            Ok(())
        })
    }

    /// What a checkpoint keeps besides the state.
    pub(crate) fn tensors(&self) -> Result<Tensors, TrainError> {
        let average = self.ema.as_ref().map(|ema| ema.named(&self.optimizer)).transpose()?;
        Ok(Tensors { model: self.runner.model.state(), optimizer: self.optimizer.state()?, average })
    }

    /// Exchanges the weights and their average, where the run keeps one.
    pub(crate) fn swap_average(&mut self) -> Result<(), TrainError> {
        match &mut self.ema {
            Some(ema) => ema.swap(&self.optimizer.values()),
            None => Ok(()),
        }
    }
}
