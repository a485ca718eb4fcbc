//! Architectures, one file each.

use luthier_recipe::{Arch, Pool};
use tch::Tensor;

use crate::config::{BertConfig, Gpt2Config, NetConfig, VitConfig};
use crate::heads::HeadSpec;
use crate::projection::ProjectionSpec;
use crate::spec::Stack;
use crate::{Builder, Flow, Input, ModelError, Network, pool};

pub(crate) mod bert;
pub(crate) mod efficientnet_lite0;
pub(crate) mod gpt2;
pub(crate) mod resnet;
pub(crate) mod sequential;
mod text;
pub(crate) mod vit;

/// What of a network is not decided by its architecture.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Rate of every dropout; the architecture's own if `None`
    pub dropout: Option<f64>,
    /// The architecture's stochastic depth is off
    pub whole_depth: bool,
    /// Widths and depths of a transformer
    pub config: Option<NetConfig>,
    /// What of a text the head reads; the architecture's own if `None`
    pub pool: Option<Pool>,
    /// Layers of a sequential network
    pub stack: Option<Stack>,
    /// Several heads instead of one; none for the architecture's own
    pub heads: Vec<HeadSpec>,
    /// Embeddings to contrast instead of logits
    pub projection: Option<ProjectionSpec>,
}

/// Builds the architecture's network at `place`, for `classes` classes.
pub(crate) fn build(
    arch: Arch,
    place: Builder<'_>,
    classes: i64,
    options: &Options,
) -> Result<Box<dyn Network>, ModelError> {
    let pool = options.pool.unwrap_or(pool::own(arch));
    Ok(match arch {
        Arch::Resnet18 => Box::new(resnet::ResNet::new(place, resnet::RESNET18, classes, options)?),
        Arch::Resnet34 => Box::new(resnet::ResNet::new(place, resnet::RESNET34, classes, options)?),
        Arch::Resnet50 => Box::new(resnet::ResNet::new(place, resnet::RESNET50, classes, options)?),
        Arch::EfficientnetLite0 => {
            Box::new(efficientnet_lite0::EfficientNetLite0::new(place, classes, options)?)
        }
        Arch::Gpt2 => {
            let config = match options.config {
                Some(NetConfig::Gpt2(config)) => config,
                _ => Gpt2Config::parse(None)?,
            };
            Box::new(gpt2::Gpt2::new(place, config, pool, classes)?)
        }
        Arch::Bert => {
            let config = match options.config {
                Some(NetConfig::Bert(config)) => config,
                _ => BertConfig::parse(None)?,
            };
            Box::new(bert::Bert::new(place, config, pool, classes)?)
        }
        Arch::Vit => {
            let config = match options.config {
                Some(NetConfig::Vit(config)) => config,
                _ => VitConfig::parse(None)?,
            };
            Box::new(vit::Vit::new(place, config, classes, options)?)
        }
        Arch::Sequential => {
            let stack = options.stack.as_ref().ok_or(ModelError::NoLayers)?;
            Box::new(sequential::Sequential::new(place, stack, classes)?)
        }
    })
}

/// Name of the linear layer that makes logits.
pub(crate) fn head(arch: Arch) -> &'static str {
    match arch {
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 => "fc",
        Arch::EfficientnetLite0 => "_fc",
        Arch::Gpt2 => "score",
        Arch::Bert | Arch::Vit => "classifier",
        // its last layer of weights: the network knows which
        Arch::Sequential => "",
    }
}

/// Whether there is a dropout.
pub(crate) fn has_dropout(arch: Arch) -> bool {
    match arch {
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 | Arch::Sequential => false,
        Arch::EfficientnetLite0 | Arch::Gpt2 | Arch::Bert | Arch::Vit => true,
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
