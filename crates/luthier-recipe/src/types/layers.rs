use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// One layer of a `sequential`: one of `linear`, `act`, `dropout`, `batch_norm`, `layer_norm`, `conv`, `max_pool`,
/// `flatten`, `unflatten`; the other keys are options of those.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// A linear layer with so many outputs, or `classes` or `targets`: as many as the data have
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = 64)]
    pub linear: Option<Width>,
    /// An activation
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"relu")]
    pub act: Option<Act>,
    /// Drop numbers with this probability while training
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::below_one, example = 0.1)]
    pub dropout: Option<f64>,
    /// `true`: batch normalisation, over columns or channels
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub batch_norm: Option<bool>,
    /// `true`: layer normalisation of each row
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub layer_norm: Option<bool>,
    /// A convolution of pictures with so many channels out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 32)]
    pub conv: Option<u64>,
    /// Largest of each square of so many pixels; the squares lie side by side
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 2)]
    pub max_pool: Option<u64>,
    /// `true`: the pixels and channels of a picture as one row
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub flatten: Option<bool>,
    /// A row as a picture of so many channels, lines and columns
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 1)), example = serde_json::json!([1, 28, 28]))]
    pub unflatten: Option<[u64; 3]>,
    /// Whether `linear` or `conv` adds a bias; it does if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = false)]
    pub bias: Option<bool>,
    /// Edge of the square that `conv` sees, in pixels; 3 if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 5)]
    pub kernel: Option<u64>,
    /// Pixels from one place of `conv` to the next; 1 if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 2)]
    pub stride: Option<u64>,
    /// Zeros around the picture that `conv` sees; 0 if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = 1)]
    pub padding: Option<u64>,
}

/// What a [`Layer`] is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LayerKind {
    /// `[N, inputs]` to `[N, width]`
    Linear {
        /// Outputs
        width: Width,
        /// It adds a bias
        bias: bool,
    },
    /// An activation
    Act(Act),
    /// Dropout of this rate
    Dropout(f64),
    /// Batch normalisation
    BatchNorm,
    /// Layer normalisation
    LayerNorm,
    /// `[N, inputs, H, W]` to `[N, channels, H', W']`
    Conv {
        /// Channels out
        channels: u64,
        /// Edge of the kernel
        kernel: u64,
        /// Step
        stride: u64,
        /// Zeros on each side
        padding: u64,
        /// It adds a bias
        bias: bool,
    },
    /// Largest of squares
    MaxPool(u64),
    /// `[N, C, H, W]` to `[N, C · H · W]`
    Flatten,
    /// `[N, C · H · W]` to `[N, C, H, W]`
    Unflatten([u64; 3]),
}

impl Layer {
    /// The keys that say what the layer is, as far as they are given.
    pub(crate) fn named(&self) -> Vec<(&'static str, LayerKind)> {
        let bias = self.bias.unwrap_or(true);
        let conv = |channels| LayerKind::Conv {
            channels,
            kernel: self.kernel.unwrap_or(3),
            stride: self.stride.unwrap_or(1),
            padding: self.padding.unwrap_or(0),
            bias,
        };
        let on = |flag: Option<bool>, kind| flag.filter(|on| *on).map(|_| kind);
        let all = [
            ("linear", self.linear.map(|width| LayerKind::Linear { width, bias })),
            ("act", self.act.map(LayerKind::Act)),
            ("dropout", self.dropout.map(LayerKind::Dropout)),
            ("batch_norm", on(self.batch_norm, LayerKind::BatchNorm)),
            ("layer_norm", on(self.layer_norm, LayerKind::LayerNorm)),
            ("conv", self.conv.map(conv)),
            ("max_pool", self.max_pool.map(LayerKind::MaxPool)),
            ("flatten", on(self.flatten, LayerKind::Flatten)),
            ("unflatten", self.unflatten.map(LayerKind::Unflatten)),
        ];
        all.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect()
    }

    /// What the layer is; a sound recipe's layers are each one thing.
    pub fn kind(&self) -> Option<LayerKind> {
        self.named().first().map(|(_, kind)| *kind)
    }
}

/// Outputs of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Width {
    /// So many
    Outputs(#[schemars(range(min = 1))] u64),
    /// As many as the data have
    Data(DataWidth),
}

/// A width that the data decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DataWidth {
    /// One output for each class
    Classes,
    /// One output for each target column
    Targets,
}

/// An activation; names and arithmetic are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// max(x, 0)
    Relu,
    /// x, or x / 100 where it is negative
    LeakyRelu,
    /// x · Φ(x)
    Gelu,
    /// Hyperbolic tangent
    Tanh,
    /// 1 / (1 + e^−x)
    Sigmoid,
    /// x, or e^x − 1 where it is negative
    Elu,
    /// Shares that add up to 1 over a row
    Softmax,
    /// x
    Identity,
}

/// What is done to the numbers that the last layer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputAct {
    /// Nothing
    #[default]
    None,
    /// 1 / (1 + e^−x)
    Sigmoid,
    /// Shares that add up to 1 over a row
    Softmax,
    /// max(x, 0)
    Relu,
    /// Hyperbolic tangent
    Tanh,
    /// x, or e^x − 1 where it is negative
    Elu,
}

impl OutputAct {
    /// Nothing is done.
    pub fn is_none(&self) -> bool {
        *self == OutputAct::None
    }

    /// The activation that it is, if any.
    pub fn act(self) -> Option<Act> {
        match self {
            OutputAct::None => None,
            OutputAct::Sigmoid => Some(Act::Sigmoid),
            OutputAct::Softmax => Some(Act::Softmax),
            OutputAct::Relu => Some(Act::Relu),
            OutputAct::Tanh => Some(Act::Tanh),
            OutputAct::Elu => Some(Act::Elu),
        }
    }
}

/// How linear layers and convolutions start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Init {
    /// Weights; names are those of `torch.nn.init`, or the papers'
    #[serde(default)]
    pub weights: WeightInit,
    /// Standard deviation of `normal`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::positive, example = 0.01)]
    pub std: Option<f64>,
    /// The number of `constant`; of `uniform`, the bound on either side of 0
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = 0.01)]
    pub value: Option<f64>,
    /// Biases: a number, or `default` for PyTorch's
    #[serde(default)]
    pub bias: BiasInit,
}

/// How weights start. Fan-in is the number of inputs of one output, fan-out of outputs of one input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeightInit {
    /// Uniform in ±1/√fan-in, as `torch.nn.Linear`
    #[default]
    Default,
    /// Normal with variance 2 / fan-in (He et al. 2015)
    HeNormal,
    /// Uniform with variance 2 / fan-in
    HeUniform,
    /// Normal with variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010)
    XavierNormal,
    /// Uniform with variance 2 / (fan-in + fan-out)
    XavierUniform,
    /// Normal with variance 1 / fan-in (LeCun et al. 1998)
    LecunNormal,
    /// Normal with the deviation `std`
    Normal,
    /// Uniform in ±`value`
    Uniform,
    /// `value` everywhere
    Constant,
    /// 0 everywhere
    Zeros,
    /// A random orthogonal matrix (Saxe et al. 2014)
    Orthogonal,
}

/// How biases start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BiasInit {
    /// The same number everywhere
    Number(f64),
    /// `default`
    Word(DefaultWord),
}

impl Default for BiasInit {
    fn default() -> Self {
        BiasInit::Word(DefaultWord::Default)
    }
}

/// The word for "as PyTorch has it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DefaultWord {
    /// Uniform in ±1/√fan-in
    #[default]
    Default,
}
