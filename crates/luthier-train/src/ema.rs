//! An exponential moving average of the weights (Polyak & Juditsky 1992, as timm's `ModelEmaV2`): kept on flat buffers,
//! swapped in for evaluation. Buffers such as BatchNorm's statistics are the model's own.

use tch::Tensor;

use crate::TrainError;
use crate::optim::Optimizer;

/// The averaged weights of every optimizer group.
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
        for (average, value) in self.average.iter_mut().zip(values) {
            let _ = average.f_lerp_(value, 1.0 - self.decay)?;
        }
        Ok(())
    }

    /// Exchanges the weights and the average. Called twice, nothing has changed.
    pub fn swap(&mut self, values: &[&Tensor]) -> Result<(), TrainError> {
        for (average, value) in self.average.iter_mut().zip(values) {
            let kept = value.f_detach_copy()?;
            value.shallow_clone().f_copy_(average)?;
            average.f_copy_(&kept)?;
        }
        Ok(())
    }

    /// The averaged weights by parameter name: what a checkpoint keeps.
    pub fn named(&self, optimizer: &Optimizer) -> Result<Vec<(String, Tensor)>, TrainError> {
        let mut all = Vec::new();
        for (group, average) in self.average.iter().enumerate() {
            let named = optimizer.named(group, average)?;
            all.extend(named.into_iter().map(|(name, view)| (name.to_string(), view)));
        }
        Ok(all)
    }
}
