//! Everything that will happen.

use luthier_recipe::Recipe;
use serde::{Deserialize, Serialize};

use crate::{ContrastPlan, LoraPlan, Samples, TablePlan, WeightingPlan};

/// Version of [`Plan`] as it is written down.
pub const PLAN_SCHEMA: u32 = 2;

/// Everything that will happen, decided before step 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this structure
    pub schema: u32,
    /// The recipe with every default filled in
    pub recipe: Recipe,
    /// The folder that the recipe's relative paths start from
    pub base: String,
    /// Files and labels
    pub data: DataPlan,
    /// What becomes of texts; `None` for pictures
    pub text: Option<TextPlan>,
    /// What becomes of the columns of a table; `None` for pictures and texts
    #[serde(default)]
    pub table: Option<TablePlan>,
    /// What a contrastive run contrasts; `None` for other tasks
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<ContrastPlan>,
    /// Parameters
    pub model: ModelPlan,
    /// Optimizer groups, in order; parameters that no pattern matches come first
    pub groups: Vec<GroupPlan>,
    /// Stages in order, at least one; a recipe without stages has one that takes the whole run
    pub stages: Vec<StagePlan>,
    /// Length of the run
    pub length: Length,
    /// Learning rate factor of every update, before each group's own rate; empty when it depends on metrics
    pub lr_factors: Vec<f64>,
    /// Number format that `auto` came to
    pub precision: ResolvedPrecision,
    /// Device
    pub device: String,
    /// Processes that train the model together; each computes an equal share of every batch
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: u64,
    /// Memory format of pictures: `channels_last` or `contiguous`
    pub memory_format: String,
    /// Weight of each class in the loss; empty when all are the same
    pub class_weights: Vec<f64>,
    /// Weights of several heads that are learned; `None` where they are fixed
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighting: Option<WeightingPlan>,
    /// Further streams that the same model is trained on in turn with this one, each a plan of its own: its
    /// `model.tensors` say what its optimizer moves, its `length` counts its own updates. Their stages, device and
    /// precision are the run's
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<Plan>,
    /// Name of the stream that this plan is of; empty where there is one only
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// Worth saying before the run: skipped files, an uneven last batch, a shortcut that is used
    pub notes: Vec<String>,
}

fn one() -> u64 {
    1
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_one(ranks: &u64) -> bool {
    *ranks == 1
}

/// Files and labels of every split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataPlan {
    /// Class names in label order; none for a regression
    pub classes: Vec<String>,
    /// Splits: `train`, then `valid` and `test` where there are such
    pub splits: Vec<SplitPlan>,
    /// What several heads learn, in the order of the model's heads; none for a model with one. Classes and labels of
    /// the first are also those of the data
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskPlan>,
}

/// What one of several heads learns of some data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskPlan {
    /// Name of the head
    pub head: String,
    /// Index of the head in the model
    pub index: usize,
    /// Column of attributes that it learns, or `class`
    pub column: String,
    /// Class names in label order; those of all streams that train the head
    pub classes: Vec<String>,
    /// Share of its loss in the sum
    pub weight: f64,
    /// Weight of each class in its loss; empty when all are the same
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_weights: Vec<f64>,
}

impl DataPlan {
    /// Data with one label per sample.
    pub fn new(classes: Vec<String>, splits: Vec<SplitPlan>) -> Self {
        DataPlan { classes, splits, tasks: Vec::new() }
    }

    /// The split of that name.
    pub fn split(&self, name: &str) -> Option<&SplitPlan> {
        self.splits.iter().find(|split| split.name == name)
    }
}

/// One split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitPlan {
    /// `train`, `valid`, `test`
    pub name: String,
    /// Folder the sample paths are below, or the table they are rows of, as the recipe names it (relative to the
    /// plan's `base`)
    pub root: String,
    /// Hash of the table (xxh3, 128 bits, hexadecimal); `None` for a folder
    pub hash: Option<String>,
    /// Samples in order
    pub samples: Samples,
    /// Files that were left out before the run, and why
    pub skipped: Vec<Skipped>,
}

impl SplitPlan {
    /// Where a sample is, for people: its path below the folder, or `table:line`.
    pub fn place(&self, index: usize) -> String {
        let Some(path) = self.samples.path(index) else { return String::new() };
        if self.hash.is_some() { format!("{}:{path}", self.root) } else { path.to_owned() }
    }
}

/// A file that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Path below the split's folder
    pub path: String,
    /// Why, as a sentence
    pub why: String,
}

/// The model and what loading its weights did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelPlan {
    /// Architecture as the recipe names it
    pub arch: String,
    /// Where the weights came from
    pub weights: String,
    /// What loading them matched; `None` for random weights
    pub load: Option<LoadReport>,
    /// The `config.json` of a transformer, with every value that decides its arithmetic; `None` for the others
    pub config: Option<serde_json::Value>,
    /// Names and numbers of classes of several heads, in order; none for a model with one
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<(String, u64)>,
    /// Low-rank adaptation; `None` without
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraPlan>,
    /// Consecutive parts of the network, first to last
    pub parts: Vec<String>,
    /// Every parameter and buffer, in the model's order
    pub tensors: Vec<TensorPlan>,
}

/// What loading a weight file matched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Tensors that were loaded
    pub matched: usize,
    /// Head tensors that start random, as expected
    pub head: Vec<String>,
    /// In the model, not in the file
    pub missing: Vec<String>,
    /// In the file, not in the model
    pub unexpected: Vec<String>,
    /// In both, with different shapes: name, shape in the file, shape in the model
    pub wrong_shape: Vec<(String, Vec<i64>, Vec<i64>)>,
    /// What was left out or read under another name, as sentences
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One parameter or buffer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TensorPlan {
    /// Name, as in the checkpoints of its package
    pub name: String,
    /// Shape
    pub shape: Vec<i64>,
    /// `float32`, `int64`
    pub dtype: String,
    /// What it is
    pub role: Role,
    /// Index of the part of the network that it belongs to
    pub part: usize,
    /// Moved by the optimizer, in one stage at least
    pub trainable: bool,
    /// Index of its optimizer group; `None` when it is not trained
    pub group: Option<usize>,
}

/// What a tensor of a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A weight matrix or kernel
    Weight,
    /// A bias
    Bias,
    /// Scale or shift of a normalisation layer
    Norm,
    /// State that no gradient moves, such as BatchNorm's running mean
    Buffer,
}

/// One optimizer group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupPlan {
    /// Pattern it came from, or `(all others)`, with ` · no decay` where that split it off
    pub name: String,
    /// Base learning rate
    pub lr: f64,
    /// Weight decay
    pub weight_decay: f64,
    /// Number of tensors
    pub tensors: usize,
    /// Number of scalars
    pub scalars: u64,
}

/// What becomes of texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextPlan {
    /// The tokenizer, as the recipe or the weights name it
    pub tokenizer: String,
    /// Token ids that it knows
    pub vocabulary: u64,
    /// Tokens of a text that are used at most
    pub max_length: u64,
    /// Token that other tools shall pad with, and its id; `None` where the tokenizer has none to offer
    pub pad_token: Option<(String, u32)>,
    /// On which side other tools shall pad: `right` or `left`
    pub padding_side: String,
    /// What the head reads: `last-token`, `cls`, `mean`
    pub pool: String,
    /// Tokens of each split, in the order of the splits
    pub splits: Vec<TextSplit>,
}

/// Tokens of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextSplit {
    /// Tokens of all its texts, after cutting
    pub tokens: u64,
    /// Tokens of the longest text, after cutting
    pub longest: u64,
    /// Texts that were cut to `max_length`
    pub cut: u64,
}

/// A part of the run that trains some of the parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagePlan {
    /// Its name; empty where the recipe has no stages
    pub name: String,
    /// First epoch, counted from 0
    pub first_epoch: u64,
    /// Epochs it takes
    pub epochs: u64,
    /// Multiplies every learning rate (and is in the plan's `lr_factors` already)
    pub lr_scale: f64,
    /// Indices of tensors that other stages train and this one does not
    pub resting: Vec<usize>,
    /// Leading parts that run once per sample
    pub prefix: Option<PrefixPlan>,
}

/// Frozen leading parts that run once per sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrefixPlan {
    /// How many parts
    pub parts: usize,
    /// Samples, of all splits
    pub samples: u64,
    /// Memory or disk that what they give takes, in bytes
    pub bytes: u64,
    /// It lies in a memory-mapped file, not in memory
    pub on_disk: bool,
    /// Runs of these parts that are left out: samples times epochs and evaluations, less the first
    pub runs_saved: u64,
    /// Share of the model's parameters that is in these parts
    pub share: f64,
}

/// Length of the run, in the field's units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Length {
    /// Passes over the training samples
    pub epochs: u64,
    /// Training samples per epoch
    pub samples: u64,
    /// Batches per epoch
    pub batches_per_epoch: u64,
    /// Optimizer updates per epoch
    pub updates_per_epoch: u64,
    /// Optimizer updates of the run
    pub updates: u64,
    /// Samples per update: batch size × accumulation × ranks
    pub effective_batch: u64,
}

/// Number format that a run computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResolvedPrecision {
    /// 32-bit floats
    Fp32,
    /// bfloat16 autocast
    Bf16,
    /// IEEE 754's 16-bit floats by autocast, with a scaled loss
    Fp16,
}

impl ResolvedPrecision {
    /// In words, for who reads a plan.
    pub fn words(self) -> &'static str {
        match self {
            ResolvedPrecision::Fp32 => "fp32",
            ResolvedPrecision::Bf16 => "bf16 autocast over fp32 weights",
            ResolvedPrecision::Fp16 => "fp16 autocast over fp32 weights, loss scaled",
        }
    }

    /// The distance from 1 to the next smaller number of its format: what products and activations are rounded to.
    pub fn step_below_one(self) -> f64 {
        match self {
            ResolvedPrecision::Fp32 => f64::from(f32::EPSILON) / 2.0,
            ResolvedPrecision::Bf16 => 1.0 / 256.0,
            ResolvedPrecision::Fp16 => 1.0 / 2048.0,
        }
    }
}
