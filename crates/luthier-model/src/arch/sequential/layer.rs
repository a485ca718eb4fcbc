//! One layer of a sequential network.

use luthier_plan::Role;
use luthier_recipe::{Act, Init as Asked, LayerKind};
use tch::{Kind, Tensor};

use super::init::{Fans, biases, weights};
use crate::layers::{BatchNorm2d, LayerNorm, Linear};
use crate::spec::Shape;
use crate::{Builder, ModelError, watch};

/// One layer.
pub(super) enum Module {
    Linear(Linear),
    Conv(Conv),
    Act(Act),
    Dropout(f64),
    BatchNorm(BatchNorm2d),
    LayerNorm(LayerNorm),
    MaxPool(i64),
    Flatten,
    Unflatten([i64; 3]),
}

/// A 2-D convolution with a square kernel.
pub(super) struct Conv {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
}

impl Module {
    pub fn new(
        mut place: Builder<'_>,
        kind: LayerKind,
        before: Shape,
        after: Shape,
        init: &Asked,
    ) -> Result<Self, ModelError> {
        let size = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let depth = |shape: Shape| match shape {
            Shape::Row(width) => width,
            Shape::Picture(channels, ..) => channels,
        };
        Ok(match kind {
            LayerKind::Linear { bias, .. } => {
                let (inputs, outputs) = (depth(before), depth(after));
                let fans = Fans { fan_in: inputs, fan_out: outputs };
                let bias = bias.then(|| biases(init, fans));
                Self::Linear(Linear::started(place, inputs, outputs, weights(init, fans), bias)?)
            }
            LayerKind::Conv { kernel, stride, padding, bias, .. } => {
                let (inputs, outputs, edge) = (depth(before), depth(after), size(kernel));
                let area = edge.saturating_mul(edge);
                let fans =
                    Fans { fan_in: inputs.saturating_mul(area), fan_out: outputs.saturating_mul(area) };
                let shape = [outputs, inputs, edge, edge];
                let weight = place.parameter("weight", &shape, Role::Weight, weights(init, fans))?;
                let bias = bias.then(|| place.parameter("bias", &[outputs], Role::Bias, biases(init, fans)));
                Self::Conv(Conv {
                    weight,
                    bias: bias.transpose()?,
                    stride: size(stride),
                    padding: size(padding),
                })
            }
            LayerKind::Act(act) => Self::Act(act),
            LayerKind::Dropout(rate) => Self::Dropout(rate),
            LayerKind::BatchNorm => Self::BatchNorm(BatchNorm2d::new(place, depth(before), 0.1, 1e-5)?),
            LayerKind::LayerNorm => Self::LayerNorm(LayerNorm::new(place, depth(before), 1e-5)?),
            LayerKind::MaxPool(edge) => Self::MaxPool(size(edge)),
            LayerKind::Flatten => Self::Flatten,
            LayerKind::Unflatten(to) => Self::Unflatten(to.map(size)),
        })
    }

    /// It has a matrix or kernels.
    pub fn has_weights(&self) -> bool {
        matches!(self, Self::Linear(_) | Self::Conv(_))
    }

    /// It draws random numbers in training.
    pub fn noisy(&self) -> bool {
        matches!(self, Self::Dropout(rate) if *rate > 0.0)
    }

    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        Ok(match self {
            Self::Linear(linear) => linear.forward(x)?,
            Self::Conv(conv) => conv.forward(x)?,
            Self::Act(act) => activate(*act, x)?,
            Self::Dropout(rate) if train && *rate > 0.0 => x.f_dropout(*rate, true)?,
            Self::Dropout(_) => x.shallow_clone(),
            Self::BatchNorm(norm) => norm.forward(x, train)?,
            Self::LayerNorm(norm) => norm.forward(x)?,
            Self::MaxPool(edge) => x.f_max_pool2d([*edge; 2], [*edge; 2], [0, 0], [1, 1], false)?,
            Self::Flatten => x.f_flatten(1, -1)?,
            Self::Unflatten([channels, height, width]) => x.f_reshape([-1, *channels, *height, *width])?,
        })
    }
}

impl Conv {
    fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        Ok(x.f_conv2d(&self.weight, self.bias.as_ref(), stride, padding, [1, 1], 1)?)
    }
}

/// Softmax is taken over a row's numbers, of pictures over their channels: PyTorch's axis 1.
fn activate(act: Act, x: &Tensor) -> Result<Tensor, ModelError> {
    let (name, y) = match act {
        Act::Relu => ("relu", x.f_relu()?),
        Act::LeakyRelu => ("leaky_relu", x.f_leaky_relu()?),
        Act::Gelu => ("gelu", x.f_gelu("none")?),
        Act::Tanh => ("tanh", x.f_tanh()?),
        Act::Sigmoid => ("sigmoid", x.f_sigmoid()?),
        Act::Elu => ("elu", x.f_elu()?),
        Act::Softmax => ("softmax", x.f_softmax(1, None::<Kind>)?),
        Act::Identity => return Ok(x.shallow_clone()),
    };
    Ok(watch::seen(name, y))
}
