//! Losses as a sum and a denominator, so that a mean over several batches is a true mean.

use luthier_recipe::{Loss, LossInput, Reduction as Asked};
use tch::{Device, Kind, Reduction, Tensor};

use crate::TrainError;

/// How far probabilities are kept from where the logarithm ends.
const EPSILON: f64 = 1e-7;

/// What is minimised for one head, ready to run.
pub struct HeadLoss {
    pub(crate) loss: Loss,
    /// Number of classes; 0 for a regression
    pub(crate) classes: usize,
    /// Numbers that the model gives of a sample
    pub(crate) outputs: i64,
    weights: Option<Tensor>,
    weight_of: Vec<f64>,
}

impl HeadLoss {
    /// `class_weights` is empty where all classes weigh the same; `classes` is 0 for a regression.
    pub fn new(loss: &Loss, class_weights: &[f64], classes: usize, outputs: i64, device: Device) -> Self {
        let weights = (!class_weights.is_empty())
            .then(|| Tensor::from_slice(class_weights).to_kind(Kind::Float).to_device(device));
        HeadLoss { loss: loss.clone(), classes, outputs, weights, weight_of: class_weights.to_vec() }
    }

    /// Sum of the losses of a batch, a scalar. `outputs` are the model's, fp32 [N, outputs]; `truth` the labels, int64
    /// [N], or, for a regression, the targets, fp32 [N, outputs].
    ///
    /// Divided by [`HeadLoss::denominator`] it is what PyTorch's loss gives with `reduction="mean"`.
    pub fn sum(&self, outputs: &Tensor, truth: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match &self.loss {
            Loss::CrossEntropy { input: LossInput::Logits, label_smoothing, .. } => outputs
                .f_cross_entropy_loss(truth, self.weights.as_ref(), Reduction::Sum, -100, *label_smoothing)?,
            Loss::CrossEntropy { .. } => outputs.f_clamp(EPSILON, 1.0)?.f_log()?.f_nll_loss(
                truth,
                self.weights.as_ref(),
                Reduction::Sum,
                -100,
            )?,
            Loss::Bce { input, .. } => {
                let targets = self.targets(truth)?;
                let weights = match &self.weights {
                    Some(weights) => Some(weights.f_index_select(0, truth)?.f_view([-1, 1])?),
                    None => None,
                };
                match input {
                    LossInput::Logits => outputs.f_binary_cross_entropy_with_logits(
                        &targets,
                        weights.as_ref(),
                        None::<&Tensor>,
                        Reduction::Sum,
                    )?,
                    LossInput::Probabilities => outputs
                        .f_clamp(EPSILON, 1.0 - EPSILON)?
                        .f_binary_cross_entropy(&targets, weights.as_ref(), Reduction::Sum)?,
                }
            }
            Loss::Mse { .. } => outputs.f_mse_loss(&self.targets(truth)?, Reduction::Sum)?,
            Loss::Mae { .. } => outputs.f_l1_loss(&self.targets(truth)?, Reduction::Sum)?,
            Loss::SmoothL1 { beta, .. } => {
                outputs.f_smooth_l1_loss(&self.targets(truth)?, Reduction::Sum, *beta)?
            }
            Loss::Hinge { .. } if self.outputs == 1 => {
                let sides = self.targets(truth)?.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
                sides.f_mul(outputs)?.f_neg()?.f_add_scalar(1.0)?.f_relu()?.f_sum(Kind::Float)?
            }
            Loss::Hinge { .. } => margins(outputs, truth)?,
        })
    }

    /// What every output should be: fp32 [N, outputs].
    fn targets(&self, truth: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match (self.classes, self.outputs) {
            (0, _) => truth.shallow_clone(),
            (_, 1) => truth.f_to_kind(Kind::Float)?.f_view([-1, 1])?,
            (_, outputs) => truth.f_one_hot(outputs)?.f_to_kind(Kind::Float)?,
        })
    }

    /// What the sum is divided by: the number of samples, or the sum of their classes' weights; where every output has
    /// a loss of its own, samples times outputs.
    pub fn denominator(&self, labels: &[i64]) -> f64 {
        let samples = labels.len() as f64;
        match &self.loss {
            Loss::CrossEntropy { .. } if self.weight_of.is_empty() => samples,
            Loss::CrossEntropy { .. } => {
                let of =
                    |label: &i64| usize::try_from(*label).ok().and_then(|i| self.weight_of.get(i)).copied();
                labels.iter().map(|label| of(label).unwrap_or(0.0)).sum()
            }
            Loss::Hinge { .. } => samples,
            Loss::Bce { .. } | Loss::Mse { .. } | Loss::Mae { .. } | Loss::SmoothL1 { .. } => {
                samples * self.outputs as f64
            }
        }
    }

    /// What gradients are taken of: a batch's sum of losses, as the share of an update that has this denominator.
    pub fn for_gradient(&self, sum: &Tensor, denominator: f64) -> Result<Tensor, TrainError> {
        Ok(match self.loss.reduction() {
            Asked::Mean => sum.f_div_scalar(denominator)?,
            Asked::Sum => sum.shallow_clone(),
        })
    }
}

impl HeadLoss {
    /// The same of numbers.
    pub(crate) fn reduced(&self, sum: f64, denominator: f64) -> f64 {
        match self.loss.reduction() {
            Asked::Mean => sum / denominator,
            Asked::Sum => sum,
        }
    }
}

/// Σ max(0, 1 − right + other) / outputs over the wrong outputs of each row, as `torch.nn.MultiMarginLoss`.
fn margins(outputs: &Tensor, labels: &Tensor) -> Result<Tensor, TrainError> {
    let (rows, columns) = outputs.size2()?;
    let right = outputs.f_gather(1, &labels.f_view([-1, 1])?, false)?;
    let each = outputs.f_sub(&right)?.f_add_scalar(1.0)?.f_relu()?;
    // the right output itself gives a margin of exactly 1, and no gradient
    Ok(each.f_sum(Kind::Float)?.f_sub_scalar(rows as f64)?.f_div_scalar(columns as f64)?)
}
