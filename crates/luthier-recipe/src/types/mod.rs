//! The shape of a recipe, one file per table. Everything a user can type is a field here and nowhere else: the
//! JSON schema, the strict parser, the defaults and `luthier render` are all read off these types.

mod data;
mod eval;
mod layers;
mod limits;
mod lora;
mod loss;
mod model;
mod optim;
mod schedule;
mod stage;
mod table;
mod train;
mod transform;

pub use data::*;
pub use eval::*;
pub use layers::*;
pub use lora::*;
pub use loss::*;
pub use model::*;
pub use optim::*;
pub use schedule::*;
pub use stage::*;
pub use table::*;
pub use train::*;
pub use transform::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One fine-tuning job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recipe {
    /// Name of the job: run directories are named after it
    #[schemars(length(min = 1), example = &"hotdog")]
    pub name: String,
    /// What is learned
    #[schemars(example = &"image-classification")]
    pub task: Task,
    /// Seed of everything random: initial weights, data order, augmentation, dropout
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Where the samples come from and what is done to them
    pub data: Data,
    /// Architecture and weights
    pub model: Model,
    /// What is minimised
    #[serde(default)]
    pub loss: Loss,
    /// How weights are updated
    pub optim: Optim,
    /// How the learning rate changes over the run
    #[serde(default)]
    pub schedule: Schedule,
    /// Length, batch and precision of the run
    pub train: Train,
    /// When and how the model is evaluated
    #[serde(default)]
    pub eval: Eval,
    /// Parts of the run that train different parameters, one after the other
    #[serde(default)]
    #[schemars(example = serde_json::json!([{ "name": "head", "epochs": 1, "train": ["score.*"] }]))]
    pub stages: Vec<Stage>,
}

fn default_seed() -> u64 {
    42
}

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One label per picture
    ImageClassification,
    /// One label per text
    TextClassification,
    /// One label per row of a table
    Classification,
    /// One or several numbers per row of a table
    Regression,
}

impl Task {
    /// Its samples are rows of numbers and words.
    pub fn reads_rows(self) -> bool {
        matches!(self, Task::Classification | Task::Regression)
    }
}

/// "Every so many epochs" or "every so many steps"; exactly one of the two.
///
/// A step is one optimizer update, however many batches were accumulated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Every {
    /// Every N epochs
    Epochs(#[schemars(range(min = 1), example = 1)] u64),
    /// Every N optimizer updates
    Steps(#[schemars(range(min = 1), example = 100)] u64),
}
