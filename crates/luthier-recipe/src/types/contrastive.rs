use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// Contrastive pretraining as MoCo v2 (Chen et al. 2020): the model learns that two views of a picture are one picture,
/// among the keys of other pictures that a slowly following copy of it made. No label is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contrastive {
    /// Numbers of an embedding: what the model's last layer gives
    #[serde(default = "dim")]
    #[schemars(range(min = 2), example = 128)]
    pub dim: u64,
    /// Keys of earlier batches that each sample is told apart from; whole batches, and fewer than there are samples
    #[serde(default = "queue")]
    #[schemars(range(min = 1), example = 4096)]
    pub queue: u64,
    /// The batch's other keys are candidates as well (SimCLR, MoCo v3): where pictures are hard to tell apart, keys of a
    /// queue alone are told by their age
    #[serde(default)]
    pub in_batch: bool,
    /// Share of itself that the key encoder keeps at each update
    #[serde(default = "momentum")]
    #[schemars(transform = limits::below_one, example = 0.999)]
    pub momentum: f64,
    /// What the key encoder's BatchNorm layers take their statistics from
    #[serde(default)]
    #[schemars(example = &"ema")]
    pub key_norm: KeyNorm,
    /// What similarities are divided by before the softmax
    #[serde(default = "temperature")]
    #[schemars(transform = limits::positive, example = 0.2)]
    pub temperature: f64,
    /// A linear layer with a ReLU before the last layer, as wide as the features (MoCo v2; SimCLR)
    #[serde(default = "yes")]
    pub mlp: bool,
    /// Further heads behind the last layer, each a linear layer of `dim` and a ReLU
    #[serde(default)]
    #[schemars(example = serde_json::json!(["a", "b"]))]
    pub heads: Vec<ProjectionHead>,
    /// Clusters of the whole set that samples are contrasted with, too (PCL, Li et al. 2021)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "clusters": [50, 100] }))]
    pub prototypes: Option<Prototypes>,
}

/// Where the key encoder's BatchNorm layers have their statistics from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyNorm {
    /// Running statistics that follow the query encoder's as its weights do (EMAN, Cai et al. 2021): a key depends on its
    /// own picture alone, and cannot be told by the batch it came with
    #[default]
    Ema,
    /// Those of the batch, as in MoCo without its shuffling: a query finds its key by what its batch has in common
    Batch,
}

/// Prototypes: centres of clusters, found anew at the beginning of each epoch on what the key encoder makes of every
/// training sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prototypes {
    /// How many clusters: several numbers are several granularities, whose losses are averaged
    #[schemars(length(min = 1), inner(range(min = 2)), example = serde_json::json!([50, 100]))]
    pub clusters: Vec<u64>,
    /// Epochs at the beginning without them; a stage that names its `loss` decides for itself
    #[serde(default)]
    #[schemars(example = 20)]
    pub warmup_epochs: u64,
    /// Prototypes of other clusters that are drawn for each batch; all there are, if those are fewer
    #[serde(default = "negatives")]
    #[schemars(range(min = 1), example = 1024)]
    pub negatives: u64,
    /// Rounds of k-means
    #[serde(default = "iterations")]
    #[schemars(range(min = 1), example = 20)]
    pub iterations: u64,
}

fn dim() -> u64 {
    128
}
fn queue() -> u64 {
    16384
}
fn momentum() -> f64 {
    0.999
}
fn temperature() -> f64 {
    0.2
}
fn yes() -> bool {
    true
}
fn negatives() -> u64 {
    16384
}
fn iterations() -> u64 {
    20
}

/// A head behind the layer that makes embeddings. The key encoder follows each with one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProjectionHead {
    /// Both tasks go through it; its parameters end with `.a.weight` and `.a.bias`
    A,
    /// The prototypes alone go through it, behind `a` where there is one; its parameters end with `.b.weight` and `.b.bias`
    B,
}

impl ProjectionHead {
    /// The name as recipes write it, and the last word of its layer's name.
    pub fn as_str(self) -> &'static str {
        match self {
            ProjectionHead::A => "a",
            ProjectionHead::B => "b",
        }
    }
}

/// What a contrastive run minimises: the sum of those that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContrastiveLoss {
    /// A sample's other view among the keys of the queue
    InfoNce,
    /// A sample's cluster among other clusters
    ProtoNce,
}

impl ContrastiveLoss {
    /// The name as recipes and metrics write it.
    pub fn as_str(self) -> &'static str {
        match self {
            ContrastiveLoss::InfoNce => "info_nce",
            ContrastiveLoss::ProtoNce => "proto_nce",
        }
    }
}
