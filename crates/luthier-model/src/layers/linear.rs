use luthier_plan::Role;
use tch::Tensor;

use crate::{Builder, Init, ModelError};

/// A linear layer with bias.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// `weight` is `[outputs, inputs]`. Both start uniform in ±1/√inputs, PyTorch's default.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn new(mut place: Builder<'_>, inputs: i64, outputs: i64) -> Result<Self, ModelError> {
        // kaiming_uniform with a = √5: √(6 / ((1 + 5) · inputs))
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
        let init = Init::Uniform(1.0 / (inputs as f64).sqrt());
        Ok(Self {
            weight: place.parameter("weight", &[outputs, inputs], Role::Weight, init)?,
            bias: place.parameter("bias", &[outputs], Role::Bias, init)?,
        })
    }

    /// `[…, inputs]` to `[…, outputs]`.
    ///
    /// # Errors
    /// The shape of `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_linear(&self.weight, Some(&self.bias))?)
    }
}
