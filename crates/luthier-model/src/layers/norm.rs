use luthier_plan::Role;
use luthier_torch::{NormState, norm_group};
use tch::{Kind, Tensor};

use crate::{Builder, Init, ModelError};

/// Batch normalisation over the pixels, or the rows, of a batch (Ioffe and Szegedy 2015), as PyTorch computes it: the biased variance
/// normalises, the unbiased one moves the running one.
#[derive(Debug)]
pub struct BatchNorm2d {
    path: String,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    num_batches_tracked: Tensor,
    momentum: f64,
    eps: f64,
}

impl BatchNorm2d {
    /// Scale 1, shift 0. `momentum` is the share of the batch in the running statistics.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn new(mut place: Builder<'_>, channels: i64, momentum: f64, eps: f64) -> Result<Self, ModelError> {
        Ok(Self {
            weight: place.parameter("weight", &[channels], Role::Norm, Init::Constant(1.0))?,
            bias: place.parameter("bias", &[channels], Role::Norm, Init::Constant(0.0))?,
            running_mean: place.buffer("running_mean", &[channels], Kind::Float, 0.0)?,
            running_var: place.buffer("running_var", &[channels], Kind::Float, 1.0)?,
            num_batches_tracked: place.buffer("num_batches_tracked", &[], Kind::Int64, 0.0)?,
            path: place.path().to_owned(),
            momentum,
            eps,
        })
    }

    /// `[N, channels, H, W]`, or `[N, channels]`, to the same shape. The batch's statistics are used, and move the running ones, in training
    /// and only if the scale is trained: a frozen layer keeps what it knows. Under [`luthier_torch::norms_over`] they are
    /// those of all ranks' batches.
    ///
    /// # Errors
    /// The shape of `x` does not fit, or there is but one value per channel to take statistics of.
    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let train = train && self.weight.requires_grad();
        if train {
            let _ = self.num_batches_tracked.shallow_clone().f_add_scalar_(1)?;
            let one_value = || ModelError::OneValue { layer: self.path.clone() };
            if let Some(group) = norm_group() {
                return group.batch_norm(x, self.state())?.ok_or_else(one_value);
            }
            let values: i64 =
                x.size().iter().enumerate().filter(|(axis, _)| *axis != 1).map(|(_, size)| size).product();
            if values < 2 {
                return Err(one_value());
            }
        }
        Ok(x.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            self.momentum,
            self.eps,
            true,
        )?)
    }

    fn state(&self) -> NormState<'_> {
        NormState {
            weight: &self.weight,
            bias: &self.bias,
            running_mean: &self.running_mean,
            running_var: &self.running_var,
            momentum: self.momentum,
            eps: self.eps,
        }
    }
}
