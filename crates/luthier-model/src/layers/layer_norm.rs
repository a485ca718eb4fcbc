use luthier_plan::Role;
use tch::Tensor;

use crate::{Builder, Init, ModelError};

/// Layer normalisation over the last axis (Ba et al. 2016).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    width: i64,
    eps: f64,
}

impl LayerNorm {
    /// Scale 1, shift 0.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn new(mut place: Builder<'_>, width: i64, eps: f64) -> Result<Self, ModelError> {
        Ok(Self {
            weight: place.parameter("weight", &[width], Role::Norm, Init::Constant(1.0))?,
            bias: place.parameter("bias", &[width], Role::Norm, Init::Constant(0.0))?,
            width,
            eps,
        })
    }

    /// `[…, width]` to the same shape.
    ///
    /// # Errors
    /// The shape of `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_layer_norm([self.width], Some(&self.weight), Some(&self.bias), self.eps, true)?)
    }
}
