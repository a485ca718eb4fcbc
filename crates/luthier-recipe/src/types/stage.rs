use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ContrastiveLoss, ProjectionHead, limits};

/// A part of the run that trains some of the parameters.
///
/// Each stage begins with a fresh optimizer; the learning-rate schedule runs over all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// What it is called in the plan and the logs
    #[schemars(length(min = 1), example = &"head")]
    pub name: String,
    /// Epochs it takes; those of all stages add up to `train.epochs`
    #[schemars(range(min = 1), example = 1)]
    pub epochs: u64,
    /// Glob patterns of the only parameters that are trained in it; all that the model trains if empty
    #[serde(default)]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["fc.*"]))]
    pub train: Vec<String>,
    /// Glob patterns of parameters that rest in it
    #[serde(default)]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["layer1.*"]))]
    pub freeze: Vec<String>,
    /// Multiplies every learning rate in it
    #[serde(default = "one")]
    #[schemars(transform = limits::positive, example = 0.1)]
    pub lr_scale: f64,
    /// What a contrastive run minimises in it; if empty, `contrastive.loss`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = serde_json::json!(["info_nce", "proto_nce"]))]
    pub loss: Vec<ContrastiveLoss>,
    /// The heads that embeddings of a contrastive run go through in it; all that the model has if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!(["a"]))]
    pub heads: Option<Vec<ProjectionHead>>,
}

fn one() -> f64 {
    1.0
}
