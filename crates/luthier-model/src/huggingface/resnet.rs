//! ResNets in `transformers`.

use luthier_recipe::Arch;
use luthier_weights::Weights;
use serde_json::{Value, json};

use crate::facts;

/// Blocks per stage and layers per block of an architecture that `transformers` has; `None` for the others.
fn resnet(arch: Arch) -> Option<([usize; 4], &'static str, [usize; 4])> {
    match arch {
        Arch::Resnet18 => Some(([2, 2, 2, 2], "basic", [64, 128, 256, 512])),
        Arch::Resnet34 => Some(([3, 4, 6, 3], "basic", [64, 128, 256, 512])),
        Arch::Resnet50 => Some(([3, 4, 6, 3], "bottleneck", [256, 512, 1024, 2048])),
        _ => None,
    }
}

/// `layer1.0.conv2.weight` is `resnet.encoder.stages.0.layers.0.layer.1.convolution.weight`.
pub(super) fn name(arch: Arch, name: &str) -> Option<String> {
    resnet(arch)?;
    let parts: Vec<&str> = name.split('.').collect();
    let kind = |layer: &str| if layer.starts_with("bn") { "normalization" } else { "convolution" };
    match parts.as_slice() {
        ["fc", rest] => Some(format!("classifier.1.{rest}")),
        [layer @ ("conv1" | "bn1"), rest] => Some(format!("resnet.embedder.embedder.{}.{rest}", kind(layer))),
        [stage, block, "downsample", part, rest] => {
            let stage = stage_index(stage)?;
            let kind = if *part == "0" { "convolution" } else { "normalization" };
            Some(format!("resnet.encoder.stages.{stage}.layers.{block}.shortcut.{kind}.{rest}"))
        }
        [stage, block, layer, rest] => {
            let stage = stage_index(stage)?;
            let index = layer
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .parse::<usize>()
                .ok()?
                .checked_sub(1)?;
            let kind = kind(layer);
            Some(format!("resnet.encoder.stages.{stage}.layers.{block}.layer.{index}.{kind}.{rest}"))
        }
        _ => None,
    }
}

fn stage_index(stage: &str) -> Option<usize> {
    stage.strip_prefix("layer")?.parse::<usize>().ok()?.checked_sub(1)
}

pub(super) fn config(arch: Arch) -> Option<Value> {
    let (depths, layer_type, hidden_sizes) = resnet(arch)?;
    Some(json!({
        "architectures": ["ResNetForImageClassification"],
        "model_type": "resnet",
        "num_channels": 3,
        "embedding_size": 64,
        "hidden_sizes": hidden_sizes,
        "depths": depths,
        "layer_type": layer_type,
        "hidden_act": "relu",
        "downsample_in_first_stage": false,
        "downsample_in_bottleneck": false,
    }))
}

pub(super) fn adapt(arch: Arch, names: &[String], mut weights: Weights) -> Weights {
    if resnet(arch).is_none() || !weights.tensors.keys().any(|name| name.starts_with("resnet.embedder.")) {
        return weights;
    }
    for name in names {
        if let Some(theirs) = self::name(arch, name)
            && let Some(tensor) = weights.tensors.shift_remove(&theirs)
        {
            weights.tensors.insert(name.clone(), tensor);
        }
    }
    weights.notes.push("names of `transformers` were read as torchvision's".into());
    weights
}

/// `preprocessor_config.json` for `transformers`: what the recipe's evaluation chain comes to.
pub fn huggingface_preprocessor(arch: Arch, size: u32, mean: [f32; 3], std: [f32; 3]) -> Value {
    let edge = facts(arch).map_or(size, |facts| facts.input_size);
    json!({
        "image_processor_type": "ConvNextImageProcessor",
        "do_resize": true,
        "size": {"shortest_edge": size},
        "crop_pct": f64::from(edge) / 256.0,
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": mean,
        "image_std": std,
        "resample": 2,
    })
}
