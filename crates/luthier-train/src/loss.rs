//! Losses as a sum and a denominator, so that a mean over several batches is a true mean.

use luthier_recipe::Loss;
use tch::{Device, Kind, Reduction, Tensor};

use crate::TrainError;

/// What is minimised, ready to run.
pub struct Objective {
    smoothing: f64,
    weights: Option<Tensor>,
    weight_of: Vec<f64>,
}

impl Objective {
    /// `class_weights` is empty where all classes weigh the same.
    pub fn new(loss: &Loss, class_weights: &[f64], device: Device) -> Self {
        let Loss::CrossEntropy { label_smoothing, .. } = loss;
        let weights = (!class_weights.is_empty())
            .then(|| Tensor::from_slice(class_weights).to_kind(Kind::Float).to_device(device));
        Objective { smoothing: *label_smoothing, weights, weight_of: class_weights.to_vec() }
    }

    /// Sum of the losses of a batch, a scalar: logits [N, classes] in fp32, labels [N] int64.
    ///
    /// Divided by [`Objective::denominator`] it is `torch.nn.CrossEntropyLoss(reduction="mean")`.
    pub fn sum(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor, TrainError> {
        Ok(logits.f_cross_entropy_loss(
            labels,
            self.weights.as_ref(),
            Reduction::Sum,
            -100,
            self.smoothing,
        )?)
    }

    /// What the sum is divided by: the number of samples, or the sum of their classes' weights.
    pub fn denominator(&self, labels: &[i64]) -> f64 {
        if self.weight_of.is_empty() {
            return labels.len() as f64;
        }
        labels
            .iter()
            .map(|label| {
                usize::try_from(*label).ok().and_then(|i| self.weight_of.get(i)).copied().unwrap_or(0.0)
            })
            .sum()
    }
}
