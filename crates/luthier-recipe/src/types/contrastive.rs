use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// How embeddings are contrasted: without labels as MoCo v2 (Chen et al. 2020), where the model learns that two views of a
/// picture are one picture, among the keys of other pictures that a slowly following copy of it made; or by their classes,
/// the samples of a batch with each other (`sup_con`, `triplet`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contrastive {
    /// What is minimised: the sum of these. If empty, `info_nce`, and `proto_nce` where there are prototypes. Those of a
    /// queue and those of a batch (`sup_con`, `triplet`) do not go together
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = serde_json::json!(["sup_con"]))]
    pub loss: Vec<ContrastiveLoss>,
    /// Numbers of an embedding: what the model's last layer gives
    #[serde(default = "dim")]
    #[schemars(range(min = 2), example = 128)]
    pub dim: u64,
    /// Keys of earlier batches that each sample is told apart from; whole batches, and fewer than there are samples. 16384
    /// if not given; `sup_con` and `triplet` have none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 4096)]
    pub queue: Option<u64>,
    /// The batch's other keys are candidates as well (SimCLR, MoCo v3): where pictures are hard to tell apart, keys of a
    /// queue alone are told by their age
    #[serde(default)]
    pub in_batch: bool,
    /// Share of itself that the key encoder keeps at each update. 0.999 if not given; `sup_con` and `triplet` have no key
    /// encoder
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::below_one, example = 0.999)]
    pub momentum: Option<f64>,
    /// What the key encoder's BatchNorm layers take their statistics from
    #[serde(default)]
    #[schemars(example = &"ema")]
    pub key_norm: KeyNorm,
    /// What similarities are divided by before the softmax. If not given 0.2, with `sup_con` 0.1; `triplet` has none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::positive, example = 0.2)]
    pub temperature: Option<f64>,
    /// With `sup_con` and `triplet`: every batch has so many samples of each of its classes, which are batch / this. If not
    /// given, batches are drawn as they come
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2), example = 4)]
    pub m_per_class: Option<u64>,
    /// What `triplet` is made of
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "margin": 0.2, "mining": "batch-hard" }))]
    pub triplet: Option<Triplet>,
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

impl Contrastive {
    /// What is minimised where no stage says otherwise, warm-ups past.
    pub fn losses(&self) -> Vec<ContrastiveLoss> {
        if !self.loss.is_empty() {
            return self.loss.clone();
        }
        let prototypes = self.prototypes.is_some().then_some(ContrastiveLoss::ProtoNce);
        [ContrastiveLoss::InfoNce].into_iter().chain(prototypes).collect()
    }

    /// Keys in the queue.
    pub fn queue(&self) -> u64 {
        self.queue.unwrap_or(16384)
    }

    /// Share of itself that the key encoder keeps.
    pub fn momentum(&self) -> f64 {
        self.momentum.unwrap_or(0.999)
    }

    /// What similarities are divided by.
    pub fn temperature(&self) -> f64 {
        let by_class = self.losses().contains(&ContrastiveLoss::SupCon);
        self.temperature.unwrap_or(if by_class { 0.1 } else { 0.2 })
    }

    /// Writes out what is not given and what these losses have.
    pub(super) fn settle(&mut self, all: &[ContrastiveLoss]) {
        let has = |loss| all.contains(&loss);
        if !all.iter().any(|loss| loss.in_batch()) {
            self.queue = Some(self.queue());
            self.momentum = Some(self.momentum());
            self.temperature = Some(self.temperature());
        } else if has(ContrastiveLoss::SupCon) {
            self.temperature = Some(self.temperature.unwrap_or(0.1));
        }
        if has(ContrastiveLoss::Triplet) {
            self.triplet = Some(self.triplet.clone().unwrap_or_default());
        }
    }
}

/// What a triplet loss is made of: max(0, margin + d⁺ − d⁻) over triplets of a sample, another of its class and one of
/// another class, as the embeddings lie on the unit sphere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Triplet {
    /// By how much a sample's own class is to be nearer than another; `soft` for ln(1 + exp(d⁺ − d⁻)), which has no margin
    #[serde(default)]
    pub margin: TripletMargin,
    /// Which triplets of a batch are learned from
    #[serde(default)]
    pub mining: Mining,
    /// How far two embeddings are from each other
    #[serde(default)]
    pub distance: EmbeddingDistance,
}

/// What keeps positives and negatives apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TripletMargin {
    /// So much
    Hinge(#[schemars(transform = limits::positive)] f64),
    /// `soft`
    Soft(SoftMargin),
}

impl Default for TripletMargin {
    fn default() -> Self {
        TripletMargin::Hinge(0.2)
    }
}

/// The margin that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SoftMargin {
    /// ln(1 + exp(d⁺ − d⁻)): no triplet is ever far enough apart
    Soft,
}

/// Which triplets of a batch are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mining {
    /// For every sample, the farthest of its class against the nearest of another (Hermans et al. 2017)
    #[default]
    BatchHard,
    /// For every two samples of a class, the nearest of another class that is farther than the second (FaceNet, Schroff et
    /// al. 2015); where there is none, the farthest
    SemiHard,
}

impl Mining {
    /// The name as recipes write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Mining::BatchHard => "batch-hard",
            Mining::SemiHard => "semi-hard",
        }
    }
}

/// How far two embeddings are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EmbeddingDistance {
    /// √Σ(x − y)²: at most 2
    #[default]
    Euclidean,
    /// Σ(x − y)²: at most 4
    SquaredEuclidean,
    /// 1 − cos: at most 2
    Cosine,
}

impl EmbeddingDistance {
    /// The name as recipes write it.
    pub fn as_str(self) -> &'static str {
        match self {
            EmbeddingDistance::Euclidean => "euclidean",
            EmbeddingDistance::SquaredEuclidean => "squared-euclidean",
            EmbeddingDistance::Cosine => "cosine",
        }
    }

    /// Of two points on the unit sphere.
    pub fn largest(self) -> f64 {
        if self == EmbeddingDistance::SquaredEuclidean { 4.0 } else { 2.0 }
    }
}

/// Where the key encoder's BatchNorm layers have their statistics from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyNorm {
    /// Running statistics that follow the query encoder's as its weights do (EMAN, Cai et al. 2021): a key depends on its
    /// own picture alone, and cannot be told by the batch it came with
    #[default]
    Ema,
    /// Those of the batch. Several processes shuffle pictures between them before keys are made, as MoCo's do; in one, a
    /// query finds its key by what its batch has in common
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
    /// Two views of each sample and all of its class among the batch (Khosla et al. 2020)
    SupCon,
    /// Samples of a class nearer to each other than to those of another, by a margin
    Triplet,
}

impl ContrastiveLoss {
    /// The name as recipes and metrics write it.
    pub fn as_str(self) -> &'static str {
        match self {
            ContrastiveLoss::InfoNce => "info_nce",
            ContrastiveLoss::ProtoNce => "proto_nce",
            ContrastiveLoss::SupCon => "sup_con",
            ContrastiveLoss::Triplet => "triplet",
        }
    }

    /// It contrasts the samples of a batch with each other, by their classes: no queue, and no key encoder.
    pub fn in_batch(self) -> bool {
        matches!(self, ContrastiveLoss::SupCon | ContrastiveLoss::Triplet)
    }
}
