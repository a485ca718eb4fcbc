//! ResNet (He et al. 2015, "Deep residual learning for image recognition", arXiv 1512.03385), with the names and the
//! details of torchvision: the stride of a bottleneck is in its 3×3 convolution.

use tch::Tensor;

use crate::heads::Head;
use crate::layers::conv::ConvShape;
use crate::layers::{BatchNorm2d, Conv2d, Padding};
use crate::{Builder, Flow, Input, ModelError, Network, Part, watch};

use super::{Options, average, pictures};

/// What the depths differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Blocks per stage
    blocks: [i64; 4],
    /// Blocks are 1×1, 3×3, 1×1 with four times the channels out, instead of 3×3, 3×3
    bottleneck: bool,
}

pub(crate) const RESNET18: Shape = Shape { blocks: [2, 2, 2, 2], bottleneck: false };
pub(crate) const RESNET34: Shape = Shape { blocks: [3, 4, 6, 3], bottleneck: false };
pub(crate) const RESNET50: Shape = Shape { blocks: [3, 4, 6, 3], bottleneck: true };

/// A ResNet for pictures of any size; 32 pixels in are one pixel before the pooling.
pub(crate) struct ResNet {
    parts: Vec<Part>,
    stem: ConvNorm,
    blocks: Vec<Block>,
    head: Head,
}

impl ResNet {
    pub(crate) fn new(
        mut place: Builder<'_>,
        shape: Shape,
        classes: i64,
        options: &Options,
    ) -> Result<Self, ModelError> {
        let stem = ConvNorm::new(&mut place, ["conv1", "bn1"], [3, 64], 7, 2)?;
        let mut parts = vec![Part::new("stem", &["conv1", "bn1"], false)];
        let mut blocks = Vec::new();
        let mut inputs = 64;
        for ((stage, count), channels) in (1..).zip(shape.blocks).zip([64, 128, 256, 512]) {
            let mut place = place.at(format_args!("layer{stage}"));
            for index in 0..count {
                let stride = if index == 0 && stage > 1 { 2 } else { 1 };
                let block = Block::new(place.at(index), shape.bottleneck, inputs, channels, stride)?;
                inputs = block.outputs;
                blocks.push(block);
                parts.push(Part::layer(&format!("layer{stage}.{index}"), false));
            }
        }
        parts.push(Head::part("fc", &options.heads, false));
        Ok(Self { parts, stem, blocks, head: Head::new(&mut place, "fc", inputs, classes, options)? })
    }
}

impl Network for ResNet {
    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn begin(&self, input: &Input) -> Result<Flow, ModelError> {
        pictures(input)
    }

    fn run(&self, part: usize, flow: &Flow, train: bool) -> Result<Flow, ModelError> {
        let x = &flow.hidden;
        let y = match part.checked_sub(1) {
            None => {
                let x = watch::seen("relu", self.stem.forward(x, train)?.f_relu_()?);
                x.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?
            }
            Some(index) => match self.blocks.get(index) {
                // the last block gives what the head reads: 49 times less for whoever keeps it
                Some(block) if index + 1 == self.blocks.len() => average(&block.forward(x, train)?)?,
                Some(block) => block.forward(x, train)?,
                None => self.head.forward(x, flow)?,
            },
        };
        Ok(flow.with(y))
    }
}

/// A residual block: convolutions, each normalised, around a shortcut.
struct Block {
    convs: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
    outputs: i64,
}

impl Block {
    fn new(
        mut place: Builder<'_>,
        bottleneck: bool,
        inputs: i64,
        channels: i64,
        stride: i64,
    ) -> Result<Self, ModelError> {
        let outputs = if bottleneck { channels * 4 } else { channels };
        // channels in and out, kernel, stride
        let shapes: &[([i64; 2], i64, i64)] = if bottleneck {
            &[([inputs, channels], 1, 1), ([channels, channels], 3, stride), ([channels, outputs], 1, 1)]
        } else {
            &[([inputs, channels], 3, stride), ([channels, channels], 3, 1)]
        };
        let mut convs = Vec::with_capacity(shapes.len());
        for (number, &(channels, kernel, stride)) in (1..).zip(shapes) {
            let names = [&*format!("conv{number}"), &*format!("bn{number}")];
            convs.push(ConvNorm::new(&mut place, names, channels, kernel, stride)?);
        }
        let shortcut = if stride == 1 && inputs == outputs {
            None
        } else {
            Some(ConvNorm::new(&mut place, ["downsample.0", "downsample.1"], [inputs, outputs], 1, stride)?)
        };
        Ok(Self { convs, shortcut, outputs })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let mut y = x.shallow_clone();
        for (index, conv) in self.convs.iter().enumerate() {
            if index > 0 {
                // in place: nobody needs what the normalisation gave, its backward keeps its input
                y = watch::seen("relu", y.f_relu_()?);
            }
            y = conv.forward(&y, train)?;
        }
        let mut sum = match &self.shortcut {
            Some(shortcut) => y.f_add_(&shortcut.forward(x, train)?)?,
            None => y.f_add_(x)?,
        };
        Ok(watch::seen("relu", sum.f_relu_()?))
    }
}

/// A convolution and its normalisation.
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    fn new(
        place: &mut Builder<'_>,
        [conv, norm]: [&str; 2],
        [inputs, outputs]: [i64; 2],
        kernel: i64,
        stride: i64,
    ) -> Result<Self, ModelError> {
        let shape = ConvShape { inputs, outputs, kernel, stride, groups: 1 };
        Ok(Self {
            conv: Conv2d::new(place.at(conv), shape, Padding::Centred)?,
            norm: BatchNorm2d::new(place.at(norm), outputs, 0.1, 1e-5)?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        self.norm.forward(&self.conv.forward(x)?, train)
    }
}
