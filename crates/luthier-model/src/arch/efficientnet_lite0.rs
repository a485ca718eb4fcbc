//! EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946, in Google's 2020 variant for phones): EfficientNet-B0 without
//! squeeze-and-excitation and with ReLU6 for its activations. Names and numbers are those of the package
//! `efficientnet-lite-pytorch`, whose weights came from TensorFlow: padding is TensorFlow's `SAME`.
//!
//! The package fixes the padding at the picture size it was built for, this one looks at each picture: they differ only
//! where a size is not a multiple of 32.

use tch::{Kind, Tensor};

use crate::heads::Head;
use crate::layers::conv::ConvShape;
use crate::layers::{BatchNorm2d, Conv2d, Padding};
use crate::{Builder, Flow, Input, ModelError, Network, Part, watch};

use super::{Options, average, pictures};

/// Share of the batch in the running statistics.
const MOMENTUM: f64 = 1.0 - 0.99;
const EPS: f64 = 1e-3;
/// Dropout before the head.
const DROPOUT: f64 = 0.2;
/// Share of samples that skip the last block in training; it grows linearly from 0 at the first one.
const DROP_CONNECT: f64 = 0.2;

/// Blocks, kernel, stride of the first, expansion, channels out; the first stage sees the stem's 32 channels.
const STAGES: [(i64, i64, i64, i64, i64); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];
const STEM: i64 = 32;
const FEATURES: i64 = 1280;

/// The network, for pictures of any size; 32 pixels in are one pixel before the pooling.
pub(crate) struct EfficientNetLite0 {
    parts: Vec<Part>,
    stem: ConvNorm,
    blocks: Vec<Block>,
    last: ConvNorm,
    dropout: f64,
    head: Head,
}

impl EfficientNetLite0 {
    pub(crate) fn new(mut place: Builder<'_>, classes: i64, options: &Options) -> Result<Self, ModelError> {
        let stem = ConvNorm::new(&mut place, ["_conv_stem", "_bn0"], conv(3, STEM, 3, 2))?;
        let total: i64 = STAGES.iter().map(|stage| stage.0).sum();
        let mut parts = vec![Part::new("stem", &["_conv_stem", "_bn0"], false)];
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        let mut index = 0_i32;
        for (count, kernel, stride, expand, outputs) in STAGES {
            for repeat in 0..count {
                let stride = if repeat == 0 { stride } else { 1 };
                #[expect(clippy::cast_precision_loss, reason = "sixteen blocks")]
                let skipped =
                    if options.whole_depth { 0.0 } else { DROP_CONNECT * f64::from(index) / total as f64 };
                let mut place = place.at("_blocks");
                let block = Block::new(place.at(index), [inputs, outputs], kernel, stride, expand, skipped)?;
                parts.push(Part::layer(&format!("_blocks.{index}"), block.noisy()));
                blocks.push(block);
                inputs = outputs;
                index += 1;
            }
        }
        let dropout = options.dropout.unwrap_or(DROPOUT);
        parts.push(Part::new("_conv_head", &["_conv_head", "_bn1"], false));
        parts.push(Head::part("_fc", &options.heads, dropout > 0.0));
        Ok(Self {
            parts,
            stem,
            blocks,
            last: ConvNorm::new(&mut place, ["_conv_head", "_bn1"], conv(inputs, FEATURES, 1, 1))?,
            dropout,
            head: Head::new(&mut place, "_fc", FEATURES, classes, options)?,
        })
    }
}

impl Network for EfficientNetLite0 {
    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn begin(&self, input: &Input) -> Result<Flow, ModelError> {
        pictures(input)
    }

    fn run(&self, part: usize, flow: &Flow, train: bool) -> Result<Flow, ModelError> {
        let x = &flow.hidden;
        let y = match part.checked_sub(1) {
            None => watch::seen("relu6", self.stem.forward(x, train)?.f_relu6_()?),
            Some(index) => match self.blocks.get(index) {
                Some(block) => block.forward(x, train)?,
                None if index == self.blocks.len() => {
                    average(&watch::seen("relu6", self.last.forward(x, train)?.f_relu6_()?))?
                }
                None => self.head.forward(&x.f_dropout(self.dropout, train)?, flow)?,
            },
        };
        Ok(flow.with(y))
    }
}

/// An inverted bottleneck: widen, convolve each channel by itself, project.
struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    residual: bool,
    skipped: f64,
}

impl Block {
    fn new(
        mut place: Builder<'_>,
        [inputs, outputs]: [i64; 2],
        kernel: i64,
        stride: i64,
        expand: i64,
        skipped: f64,
    ) -> Result<Self, ModelError> {
        let wide = inputs * expand;
        let widen = if expand == 1 {
            None
        } else {
            Some(ConvNorm::new(&mut place, ["_expand_conv", "_bn0"], conv(inputs, wide, 1, 1))?)
        };
        let depthwise = ConvShape { groups: wide, ..conv(wide, wide, kernel, stride) };
        Ok(Self {
            expand: widen,
            depthwise: ConvNorm::new(&mut place, ["_depthwise_conv", "_bn1"], depthwise)?,
            project: ConvNorm::new(&mut place, ["_project_conv", "_bn2"], conv(wide, outputs, 1, 1))?,
            residual: stride == 1 && inputs == outputs,
            skipped,
        })
    }

    /// It draws random numbers in training.
    fn noisy(&self) -> bool {
        self.residual && self.skipped > 0.0
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let mut y = match &self.expand {
            Some(expand) => {
                let wide = watch::seen("relu6", expand.forward(x, train)?.f_relu6_()?);
                self.depthwise.forward(&wide, train)?
            }
            None => self.depthwise.forward(x, train)?,
        };
        y = self.project.forward(&watch::seen("relu6", y.f_relu6_()?), train)?;
        if !self.residual {
            return Ok(y);
        }
        if train && self.noisy() {
            y = drop_connect(&y, self.skipped)?;
        }
        Ok(y.f_add_(x)?)
    }
}

/// Stochastic depth (Huang et al. 2016): zeroes whole samples with probability `rate` and scales the others so that the
/// mean stays.
fn drop_connect(x: &Tensor, rate: f64) -> Result<Tensor, ModelError> {
    let keep = 1.0 - rate;
    // in fp32 also where x is bf16, whose eight bits would bias the share
    let drawn = Tensor::f_rand([x.size4()?.0, 1, 1, 1], (Kind::Float, x.device()))?;
    let mask = drawn.f_add_scalar(keep)?.f_floor()?.f_to_kind(x.kind())?;
    Ok(x.f_div_scalar(keep)?.f_mul(&mask)?)
}

fn conv(inputs: i64, outputs: i64, kernel: i64, stride: i64) -> ConvShape {
    ConvShape { inputs, outputs, kernel, stride, groups: 1 }
}

/// A convolution and its normalisation.
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    fn new(place: &mut Builder<'_>, [conv, norm]: [&str; 2], shape: ConvShape) -> Result<Self, ModelError> {
        Ok(Self {
            conv: Conv2d::new(place.at(conv), shape, Padding::Same)?,
            norm: BatchNorm2d::new(place.at(norm), shape.outputs, MOMENTUM, EPS)?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        self.norm.forward(&self.conv.forward(x)?, train)
    }
}
