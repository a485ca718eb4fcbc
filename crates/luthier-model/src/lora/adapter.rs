//! A and B beside one linear layer.

use luthier_torch::autocast;
use tch::Tensor;

use crate::ModelError;
use crate::layers::{Affine, Outputs};

/// A and B beside one linear layer.
#[derive(Debug)]
pub(crate) struct Adapter {
    /// `[r, inputs]`
    pub a: Tensor,
    /// `[outputs, r]`
    pub b: Tensor,
    /// DoRA's lengths of the weights of each output, `[outputs]`
    pub magnitude: Option<Tensor>,
    /// What B A x is multiplied by
    pub scale: f64,
    /// Dropout before A
    pub dropout: f64,
}

impl Adapter {
    /// What A sees of `x`.
    fn seen(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let drops = train && self.dropout > 0.0;
        Ok(if drops { luthier_torch::dropout(x, self.dropout)? } else { x.shallow_clone() })
    }

    /// What the layer gives, from what it gave without this. `layer` has the outputs that are asked for and no others.
    pub(crate) fn apply(
        &self,
        layer: &Affine,
        x: &Tensor,
        base: Tensor,
        outputs: Outputs,
        train: bool,
    ) -> Result<Tensor, ModelError> {
        let seen = self.seen(x, train)?;
        if self.magnitude.is_some() {
            let dropped = (train && self.dropout > 0.0).then_some(&seen);
            return self.directed(layer, &seen, dropped, &base, outputs);
        }
        self.add(&base, &seen.f_linear(&self.a, None::<&Tensor>)?, outputs)
    }

    /// `base` and what B makes of A's outputs.
    pub(crate) fn add(&self, base: &Tensor, low: &Tensor, outputs: Outputs) -> Result<Tensor, ModelError> {
        // B is the smallest thing that can be scaled
        let b = rows(&self.b, outputs)?.f_mul_scalar(self.scale)?;
        if base.dim() == 2 && low.dim() == 2 && base.kind() == low.kind() {
            return Ok(base.f_addmm(low, &b.f_transpose(0, 1)?)?);
        }
        Ok(base.f_add(&low.f_linear(&b, None::<&Tensor>)?)?)
    }

    /// DoRA (Liu et al. 2024, arXiv 2402.09353): the rows of W + s B A at lengths that are trained apart. The lengths that
    /// they have are constants to the gradient, as the paper and PEFT have it; with dropout, PEFT computes W's share of the
    /// correction from the inputs that are left, too.
    fn directed(
        &self,
        layer: &Affine,
        seen: &Tensor,
        dropped: Option<&Tensor>,
        base: &Tensor,
        outputs: Outputs,
    ) -> Result<Tensor, ModelError> {
        let Some(magnitude) = &self.magnitude else { return Ok(base.shallow_clone()) };
        let weight = layer.out_in()?;
        let length = tch::no_grad(|| lengths(&self.sum(&weight, outputs)?))?;
        let ratio = rows(magnitude, outputs)?.f_div(&length)?;
        let plain = match (dropped, &layer.bias) {
            (Some(x), _) => x.f_linear(&weight, None::<&Tensor>)?,
            (None, Some(bias)) => base.f_sub(bias)?,
            (None, None) => base.shallow_clone(),
        };
        let b = rows(&self.b, outputs)?.f_mul_scalar(self.scale)?;
        let low = seen.f_linear(&self.a, None::<&Tensor>)?.f_linear(&b, None::<&Tensor>)?;
        let more = plain.f_mul(&ratio.f_sub_scalar(1.0)?)?.f_add(&low.f_mul(&ratio)?)?;
        Ok(base.f_add(&more)?)
    }

    /// W + s B A, fp32, of some outputs.
    fn sum(&self, weight: &Tensor, outputs: Outputs) -> Result<Tensor, ModelError> {
        // bf16 would round what B A adds away
        autocast(weight.device(), false, || {
            let b = rows(&self.b, outputs)?;
            Ok(weight.f_add(&b.f_matmul(&self.a)?.f_mul_scalar(self.scale)?)?)
        })
    }

    /// The weight `[outputs, inputs]` with what was learned.
    pub(super) fn merged(&self, weight: &Tensor) -> Result<Tensor, ModelError> {
        let sum = self.sum(weight, None)?;
        let Some(magnitude) = &self.magnitude else { return Ok(sum) };
        let ratio = magnitude.f_div(&lengths(&sum)?)?;
        Ok(sum.f_mul(&ratio.f_unsqueeze(1)?)?)
    }
}

/// Euclidean length of each row.
pub(super) fn lengths(weight: &Tensor) -> Result<Tensor, ModelError> {
    Ok(weight.f_norm_scalaropt_dim(2.0, [1_i64].as_slice(), false)?)
}

fn rows(tensor: &Tensor, outputs: Outputs) -> Result<Tensor, ModelError> {
    Ok(match outputs {
        Some((start, count)) => tensor.f_narrow(0, start, count)?,
        None => tensor.shallow_clone(),
    })
}
