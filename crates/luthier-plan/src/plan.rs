//! Everything that will happen.

use luthier_recipe::Recipe;
use serde::{Deserialize, Serialize};

/// Version of [`Plan`] as it is written down.
pub const PLAN_SCHEMA: u32 = 1;

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
    /// Parameters
    pub model: ModelPlan,
    /// Optimizer groups, in order; parameters that no pattern matches come first
    pub groups: Vec<GroupPlan>,
    /// Length of the run
    pub length: Length,
    /// Learning rate factor of every update, before each group's own rate; empty when it depends on metrics
    pub lr_factors: Vec<f64>,
    /// Number format that `auto` came to
    pub precision: ResolvedPrecision,
    /// Device
    pub device: String,
    /// Memory format of pictures: `channels_last` or `contiguous`
    pub memory_format: String,
    /// Weight of each class in the loss; empty when all are the same
    pub class_weights: Vec<f64>,
    /// Worth saying before the run: skipped files, an uneven last batch, a shortcut that is used
    pub notes: Vec<String>,
}

/// Files and labels of every split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataPlan {
    /// Class names in label order
    pub classes: Vec<String>,
    /// Splits: `train`, then `valid` where there is one
    pub splits: Vec<SplitPlan>,
}

impl DataPlan {
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
    /// Folder the sample paths are below, as the recipe names it (relative to the plan's `base`)
    pub root: String,
    /// Samples in order
    pub samples: Vec<Sample>,
    /// Files that were left out before the run, and why
    pub skipped: Vec<Skipped>,
}

/// One picture and its label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Path below the split's folder, with forward slashes
    pub path: String,
    /// Class index
    pub label: u32,
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
    /// Moved by the optimizer
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
    /// Samples per update: batch size × accumulation
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
}
