use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// Low-rank adaptation, with the names of PEFT's `LoraConfig`: a linear layer gives W x + (alpha / r) B A x, and A and B
/// are trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lora {
    /// Rank: rows of A and columns of B; 8 if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 16)]
    pub r: Option<u64>,
    /// What B A x is multiplied by, times the rank; required, unless an `adapter` has it. PEFT calls it `lora_alpha`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::positive, example = 32)]
    pub alpha: Option<f64>,
    /// Share of a layer's inputs that A does not see while training; PEFT calls it `lora_dropout`
    #[serde(default)]
    #[schemars(transform = limits::below_one, example = 0.1)]
    pub dropout: f64,
    /// Linear layers by their names, whole or their last words (`query`), or by glob patterns, or `all-linear`: all but
    /// the head; if not given, `query` and `value` of `bert` and `vit`, `c_attn` of `gpt2`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!(["query", "value"]))]
    pub target_modules: Option<LoraTargets>,
    /// Which biases are trained, too
    #[serde(default)]
    #[schemars(example = &"lora_only")]
    pub bias: LoraBias,
    /// Layers that are trained whole, by their names or their last words; the head, and whatever else starts from random
    /// weights, if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["classifier"]))]
    pub modules_to_save: Option<Vec<String>>,
    /// Scale by alpha / √r instead of alpha / r (Kalajdzievski 2023)
    #[serde(default)]
    pub use_rslora: bool,
    /// Train the length of each row of the weights apart from its direction (DoRA, Liu et al. 2024)
    #[serde(default)]
    pub use_dora: bool,
    /// A folder with `adapter_config.json` and `adapter_model.safetensors`, as PEFT writes it, to go on from: rank, alpha
    /// and layers are those of the file
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"adapter")]
    pub adapter: Option<String>,
}

/// Which linear layers get matrices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LoraTargets {
    /// All of them but the head
    All(AllLinear),
    /// Those with these names
    Named(#[schemars(length(min = 1), inner(length(min = 1)))] Vec<String>),
}

/// Every linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AllLinear {
    /// Every linear layer but the head
    #[serde(rename = "all-linear")]
    AllLinear,
}

/// Which biases are trained beside A and B.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoraBias {
    /// None
    #[default]
    None,
    /// Every bias of the model
    All,
    /// The biases of layers that have an A and a B
    LoraOnly,
}
