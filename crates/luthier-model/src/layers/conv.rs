use luthier_plan::Role;
use tch::Tensor;

use crate::{Builder, Init, ModelError};

/// What a convolution sees beyond the edge: zeros, this many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// As many on each side as keep an odd kernel centred: PyTorch's networks
    Centred,
    /// None: what does not fit a whole kernel is not seen
    None,
    /// As many as give ceil(size / stride) outputs, the odd one on the right and at the bottom: TensorFlow's `SAME`
    Same,
}

/// A 2-D convolution.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    kernel: i64,
    stride: i64,
    padding: Padding,
    groups: i64,
}

/// Shape of a [`Conv2d`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConvShape {
    pub inputs: i64,
    pub outputs: i64,
    pub kernel: i64,
    pub stride: i64,
    pub groups: i64,
}

impl Conv2d {
    /// A square kernel; `weight` is `[outputs, inputs / groups, kernel, kernel]`.
    ///
    /// # Errors
    /// Memory runs out.
    pub(crate) fn new(
        mut place: Builder<'_>,
        shape: ConvShape,
        padding: Padding,
    ) -> Result<Self, ModelError> {
        let ConvShape { inputs, outputs, kernel, stride, groups } = shape;
        let weight = place.parameter(
            "weight",
            &[outputs, inputs / groups, kernel, kernel],
            Role::Weight,
            Init::KaimingNormal,
        )?;
        Ok(Self { weight, bias: None, kernel, stride, padding, groups })
    }

    /// As [`Conv2d::new`], for patches that lie side by side: nothing is seen beyond the edge. The bias starts at 0.
    ///
    /// # Errors
    /// Memory runs out.
    pub(crate) fn patches(mut place: Builder<'_>, shape: ConvShape, init: Init) -> Result<Self, ModelError> {
        let ConvShape { inputs, outputs, kernel, stride, groups } = shape;
        let size = [outputs, inputs / groups, kernel, kernel];
        let weight = place.parameter("weight", &size, Role::Weight, init)?;
        let bias = Some(place.parameter("bias", &[outputs], Role::Bias, Init::Constant(0.0))?);
        Ok(Self { weight, bias, kernel, stride, padding: Padding::None, groups })
    }

    /// `[N, inputs, H, W]` to `[N, outputs, H', W']`.
    ///
    /// # Errors
    /// The shape of `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        if self.padding == Padding::None {
            return self.convolve(x, 0);
        }
        let centred = self.kernel / 2;
        // With stride 1 both paddings are the same, and the convolution's own needs no copy.
        if self.padding == Padding::Centred || self.stride == 1 {
            return self.convolve(x, centred);
        }
        let (_, _, height, width) = x.size4()?;
        let [top, bottom] = same(height, self.kernel, self.stride);
        let [left, right] = same(width, self.kernel, self.stride);
        if [top, bottom, left, right] == [centred; 4] {
            return self.convolve(x, centred);
        }
        self.convolve(&x.f_constant_pad_nd([left, right, top, bottom])?, 0)
    }

    fn convolve(&self, x: &Tensor, padding: i64) -> Result<Tensor, ModelError> {
        let (stride, padding) = ([self.stride; 2], [padding; 2]);
        Ok(x.f_conv2d(&self.weight, self.bias.as_ref(), stride, padding, [1, 1], self.groups)?)
    }
}

/// Zeros before and after an axis of `size` that give ceil(size / stride) outputs.
fn same(size: i64, kernel: i64, stride: i64) -> [i64; 2] {
    let outputs = (size + stride - 1) / stride;
    let total = ((outputs - 1) * stride + kernel - size).max(0);
    [total / 2, total - total / 2]
}
