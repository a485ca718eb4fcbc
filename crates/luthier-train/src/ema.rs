//! An exponential moving average of the weights (Polyak & Juditsky 1992, as timm's `ModelEmaV2`): kept on flat buffers,
//! swapped in for evaluation. Buffers such as BatchNorm's statistics are the model's own. With streams it is one average of
//! all that any optimizer moves, for there is one model, and it is taken when every stream has had its turn.

use std::collections::HashSet;

use tch::{Tensor, no_grad_guard};

use crate::TrainError;
use crate::job::Job;
use crate::optim::Optimizer;

/// The averaged weights of every optimizer group, and of what other streams' optimizers alone move.
pub struct Ema {
    decay: f64,
    average: Vec<Tensor>,
}

impl Ema {
    /// Starts the average at the present weights.
    pub fn new(decay: f64, values: &[&Tensor]) -> Result<Self, TrainError> {
        let average =
            values.iter().map(|value| Ok(value.f_detach_copy()?)).collect::<Result<_, TrainError>>()?;
        Ok(Ema { decay, average })
    }

    /// average ← decay · average + (1 − decay) · weights.
    pub fn update(&mut self, values: &[&Tensor]) -> Result<(), TrainError> {
        let _quiet = no_grad_guard();
        for (average, value) in self.average.iter_mut().zip(values) {
            let _ = average.f_lerp_(value, 1.0 - self.decay)?;
        }
        Ok(())
    }

    /// Exchanges the weights and the average. Called twice, nothing has changed.
    pub fn swap(&mut self, values: &[&Tensor]) -> Result<(), TrainError> {
        let _quiet = no_grad_guard();
        for (average, value) in self.average.iter_mut().zip(values) {
            let kept = value.f_detach_copy()?;
            value.shallow_clone().f_copy_(average)?;
            average.f_copy_(&kept)?;
        }
        Ok(())
    }

    /// The averaged weights by parameter name: what a checkpoint keeps.
    pub(crate) fn named(
        &self,
        optimizer: &Optimizer,
        others: &[Job],
    ) -> Result<Vec<(String, Tensor)>, TrainError> {
        let groups = optimizer.values().len();
        let mut all = Vec::new();
        for (group, average) in self.average.iter().take(groups).enumerate() {
            let named = optimizer.named(group, average)?;
            all.extend(named.into_iter().map(|(name, view)| (name.to_string(), view)));
        }
        let single = beside(optimizer, others).into_iter().zip(self.average.iter().skip(groups));
        all.extend(single.map(|((name, _), average)| (name.to_string(), average.shallow_clone())));
        Ok(all)
    }
}

/// What an average is taken over: the flat values of a run's optimizer, then single parameters.
pub(crate) fn averaged<'a>(optimizer: &'a Optimizer, others: &'a [Job]) -> Vec<&'a Tensor> {
    let mut values = optimizer.values();
    values.extend(beside(optimizer, others).into_iter().map(|(_, value)| value));
    values
}

/// Parameters that other streams' optimizers move and the run's own does not, each once.
fn beside<'a>(optimizer: &'a Optimizer, others: &'a [Job]) -> Vec<(&'a str, &'a Tensor)> {
    let mut known: HashSet<&str> = optimizer.params().map(|(name, _)| name).collect();
    let theirs = others.iter().flat_map(|job| job.optimizer.params());
    theirs.filter(|&(name, _)| known.insert(name)).collect()
}
