use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// What is done to each picture before the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transforms {
    /// While training
    #[schemars(example = serde_json::json!([{ "op": "RandomResizedCrop", "size": 224 }]))]
    pub train: Vec<Transform>,
    /// While evaluating and predicting
    #[schemars(example = serde_json::json!([{ "op": "Resize", "size": 256 }]))]
    pub eval: Vec<Transform>,
}

/// One step of a transform chain; names, arguments and meaning are torchvision's.
///
/// Pictures start as 8-bit RGB; `Normalize` turns them into floats in [0, 1] first, then subtracts and divides.
/// A chain without `Normalize` yields floats in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op")]
pub enum Transform {
    /// Scales the picture, bilinear and antialiased
    Resize {
        /// A number: the length of the shorter side, ratio kept. A pair: height and width
        #[schemars(example = 224)]
        size: Size,
    },
    /// Cuts the middle; a picture smaller than `size` is padded with black
    CenterCrop {
        /// Height and width in pixels
        #[schemars(example = 224)]
        size: Size,
    },
    /// Cuts a random part of random area and ratio, and scales it to `size`
    RandomResizedCrop {
        /// Height and width in pixels
        #[schemars(example = 224)]
        size: Size,
        /// Smallest and largest share of the picture's area
        #[serde(default = "default_crop_scale")]
        #[schemars(transform = limits::each_positive)]
        scale: [f64; 2],
        /// Smallest and largest width/height ratio
        #[serde(default = "default_crop_ratio")]
        #[schemars(transform = limits::each_positive)]
        ratio: [f64; 2],
    },
    /// Mirrors left and right
    RandomHorizontalFlip {
        /// Probability
        #[serde(default = "half")]
        #[schemars(range(min = 0.0, max = 1.0))]
        p: f64,
    },
    /// Changes brightness, contrast, saturation and hue, in random order
    ColorJitter {
        /// Factor drawn from [max(0, 1 − b), 1 + b]
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        brightness: f64,
        /// Factor drawn from [max(0, 1 − c), 1 + c]
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        contrast: f64,
        /// Factor drawn from [max(0, 1 − s), 1 + s]
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        saturation: f64,
        /// Shift drawn from [−h, h] of the colour circle; at most 0.5
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 0.5))]
        hue: f64,
        /// Probability that the picture is changed at all
        #[serde(default = "one")]
        #[schemars(range(min = 0.0, max = 1.0))]
        p: f64,
    },
    /// Turns the picture grey, three equal channels kept
    RandomGrayscale {
        /// Probability
        #[serde(default = "tenth")]
        #[schemars(range(min = 0.0, max = 1.0))]
        p: f64,
    },
    /// Blurs with a Gaussian of random width
    GaussianBlur {
        /// Odd number of pixels
        #[schemars(range(min = 1, max = 1023), example = 9)]
        kernel_size: u32,
        /// Smallest and largest standard deviation in pixels
        #[serde(default = "default_sigma")]
        #[schemars(transform = limits::each_positive)]
        sigma: [f64; 2],
        /// Probability that the picture is blurred at all
        #[serde(default = "one")]
        #[schemars(range(min = 0.0, max = 1.0))]
        p: f64,
    },
    /// (x − mean) / std per channel, x in [0, 1]
    Normalize {
        /// Mean of red, green and blue
        #[schemars(example = serde_json::json!([0.485, 0.456, 0.406]))]
        #[serde(serialize_with = "shortest")]
        mean: [f32; 3],
        /// Standard deviation of red, green and blue
        #[schemars(transform = limits::each_positive, example = serde_json::json!([0.229, 0.224, 0.225]))]
        #[serde(serialize_with = "shortest")]
        std: [f32; 3],
    },
}

/// One number, or height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Size {
    /// One number for both sides, or for the shorter side where the transform keeps the ratio
    One(#[schemars(range(min = 1, max = 16384))] u32),
    /// Height, width
    Pair(#[schemars(inner(range(min = 1, max = 16384)))] [u32; 2]),
}

fn default_crop_scale() -> [f64; 2] {
    [0.08, 1.0]
}
fn default_crop_ratio() -> [f64; 2] {
    [3.0 / 4.0, 4.0 / 3.0]
}
fn default_sigma() -> [f64; 2] {
    [0.1, 2.0]
}
fn half() -> f64 {
    0.5
}
fn tenth() -> f64 {
    0.1
}
fn one() -> f64 {
    1.0
}

/// Writes `0.485`, not the `0.48500001430511475` that the same `f32` is as an `f64`.
fn shortest<S: serde::Serializer>(values: &[f32; 3], serializer: S) -> Result<S::Ok, S::Error> {
    values.map(|value| value.to_string().parse::<f64>().unwrap_or(f64::from(value))).serialize(serializer)
}
