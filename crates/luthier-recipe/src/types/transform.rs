use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done to each picture before the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transforms {
    /// While training
    pub train: Vec<Transform>,
    /// While evaluating and predicting
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
        size: Size,
    },
    /// Cuts the middle; a picture smaller than `size` is padded with black
    CenterCrop {
        /// Height and width in pixels
        size: Size,
    },
    /// Cuts a random part of random area and ratio, and scales it to `size`
    RandomResizedCrop {
        /// Height and width in pixels
        size: Size,
        /// Smallest and largest share of the picture's area
        #[serde(default = "default_crop_scale")]
        scale: [f64; 2],
        /// Smallest and largest width/height ratio
        #[serde(default = "default_crop_ratio")]
        ratio: [f64; 2],
    },
    /// Mirrors left and right
    RandomHorizontalFlip {
        /// Probability
        #[serde(default = "half")]
        p: f64,
    },
    /// Changes brightness, contrast, saturation and hue, in random order
    ColorJitter {
        /// Factor drawn from [max(0, 1 − b), 1 + b]
        #[serde(default)]
        brightness: f64,
        /// Factor drawn from [max(0, 1 − c), 1 + c]
        #[serde(default)]
        contrast: f64,
        /// Factor drawn from [max(0, 1 − s), 1 + s]
        #[serde(default)]
        saturation: f64,
        /// Shift drawn from [−h, h] of the colour circle; at most 0.5
        #[serde(default)]
        hue: f64,
        /// Probability that the picture is changed at all
        #[serde(default = "one")]
        p: f64,
    },
    /// Turns the picture grey, three equal channels kept
    RandomGrayscale {
        /// Probability
        #[serde(default = "tenth")]
        p: f64,
    },
    /// Blurs with a Gaussian of random width
    GaussianBlur {
        /// Odd number of pixels
        kernel_size: u32,
        /// Smallest and largest standard deviation in pixels
        #[serde(default = "default_sigma")]
        sigma: [f64; 2],
        /// Probability that the picture is blurred at all
        #[serde(default = "one")]
        p: f64,
    },
    /// (x − mean) / std per channel, x in [0, 1]
    Normalize {
        /// Mean of red, green and blue
        mean: [f32; 3],
        /// Standard deviation of red, green and blue
        std: [f32; 3],
    },
}

/// One number, or height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Size {
    /// One number for both sides, or for the shorter side where the transform keeps the ratio
    One(u32),
    /// Height, width
    Pair([u32; 2]),
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
