//! Architectures, one file each.

use luthier_recipe::Arch;
use tch::Tensor;

use crate::{Builder, Flow, Input, ModelError, Network};

pub(crate) mod efficientnet_lite0;
pub(crate) mod resnet;

/// Rates of what is random in training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    /// Dropout before the head; the architecture's own if `None`
    pub dropout: Option<f64>,
    /// The architecture's stochastic depth is on
    pub drop_connect: bool,
}

/// Builds the architecture's network at `place`, for `classes` classes.
pub(crate) fn build(
    arch: Arch,
    place: Builder<'_>,
    classes: i64,
    noise: Noise,
) -> Result<Box<dyn Network>, ModelError> {
    Ok(match arch {
        Arch::Resnet18 => Box::new(resnet::ResNet::new(place, resnet::RESNET18, classes)?),
        Arch::Resnet34 => Box::new(resnet::ResNet::new(place, resnet::RESNET34, classes)?),
        Arch::Resnet50 => Box::new(resnet::ResNet::new(place, resnet::RESNET50, classes)?),
        Arch::EfficientnetLite0 => {
            Box::new(efficientnet_lite0::EfficientNetLite0::new(place, classes, noise)?)
        }
    })
}

/// Name of the linear layer that makes logits.
pub(crate) fn head(arch: Arch) -> &'static str {
    match arch {
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 => "fc",
        Arch::EfficientnetLite0 => "_fc",
    }
}

/// Whether there is a dropout before the head.
pub(crate) fn has_dropout(arch: Arch) -> bool {
    match arch {
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 => false,
        Arch::EfficientnetLite0 => true,
    }
}

/// The beginning of a network for pictures.
pub(crate) fn pictures(input: &Input) -> Result<Flow, ModelError> {
    let Input::Pictures(x) = input else {
        return Err(ModelError::OtherInput { wants: "pictures", given: input.kind() });
    };
    match x.size()[..] {
        [batch, 3, height, width] if batch > 0 && height > 0 && width > 0 => {
            Ok(Flow::plain(x.shallow_clone()))
        }
        _ => Err(ModelError::Input(x.size())),
    }
}

/// Mean over the pixels: `[N, C, H, W]` to `[N, C]`.
fn average(x: &Tensor) -> Result<Tensor, ModelError> {
    Ok(x.f_adaptive_avg_pool2d([1, 1])?.f_flatten(1, -1)?)
}
