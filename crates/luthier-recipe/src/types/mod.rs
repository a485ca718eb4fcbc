//! The shape of a recipe, one file per table. Everything a user can type is a field here and nowhere else: the
//! JSON schema, the strict parser, the defaults and `luthier render` are all read off these types.

mod contrastive;
mod data;
mod distributed;
mod eval;
mod grad_scaler;
mod head;
mod layers;
mod limits;
mod lora;
mod loss;
mod model;
mod optim;
mod schedule;
mod stage;
mod stream;
mod table;
mod train;
mod transform;
mod weighting;

pub use contrastive::*;
pub use data::*;
pub use distributed::*;
pub use eval::*;
pub use grad_scaler::*;
pub use head::*;
pub use layers::*;
pub use lora::*;
pub use loss::*;
pub use model::*;
pub use optim::*;
pub use schedule::*;
pub use stage::*;
pub use stream::*;
pub use table::*;
pub use train::*;
pub use transform::*;
pub use weighting::*;

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
    /// Where the samples come from and what is done to them; of every stream that has no `data` itself
    #[serde(default, skip_serializing_if = "Data::is_absent")]
    pub data: Data,
    /// Architecture and weights
    pub model: Model,
    /// What is minimised
    #[serde(default)]
    pub loss: Loss,
    /// How embeddings are contrasted, where that is the task
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "dim": 128, "queue": 4096 }))]
    pub contrastive: Option<Contrastive>,
    /// How weights are updated; as in the first stream if not given
    #[serde(default, skip_serializing_if = "Optim::is_absent")]
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
    /// How several processes train the model together
    #[serde(default)]
    pub distributed: Distributed,
    /// Streams of samples that the model is trained on in turn
    #[serde(default)]
    #[schemars(example = serde_json::json!([{ "name": "new" }, { "name": "replay", "train": ["classifier.*"] }]))]
    pub streams: Vec<Stream>,
}

impl Recipe {
    /// The recipe of one stream, as if there were no other; the whole recipe where there are no streams.
    pub fn of_stream(&self, index: usize) -> Recipe {
        let Some(stream) = self.streams.get(index) else { return self.clone() };
        let mut own = self.clone();
        own.data = stream.data.clone().unwrap_or(own.data);
        own.optim = stream.optim.clone().unwrap_or(own.optim);
        own.schedule = stream.schedule.clone().unwrap_or(own.schedule);
        own.train.batch_size = stream.batch_size.unwrap_or(own.train.batch_size);
        own.train.clip_grad_norm = stream.clip_grad_norm.or(own.train.clip_grad_norm);
        own
    }

    /// A key as the recipe has it for one stream: `streams[1].optim.lr` where the stream gives that table itself.
    pub fn key_of(&self, stream: usize, key: &str) -> String {
        let own = self.streams.get(stream).is_some_and(|stream| stream.gives(key));
        if own { format!("streams[{stream}].{key}") } else { key.to_owned() }
    }

    /// All that a contrastive run minimises at any time, each once; nothing for other tasks.
    pub fn contrasts(&self) -> Vec<ContrastiveLoss> {
        let Some(asked) = &self.contrastive else { return Vec::new() };
        let open = self.stages.is_empty() || self.stages.iter().any(|stage| stage.loss.is_empty());
        let own = if open { asked.losses() } else { Vec::new() };
        let mut all = Vec::new();
        for loss in own.into_iter().chain(self.stages.iter().flat_map(|stage| stage.loss.iter().copied())) {
            if !all.contains(&loss) {
                all.push(loss);
            }
        }
        all
    }

    /// A contrastive run that contrasts the samples of a batch with each other, by their classes.
    pub fn contrasts_in_batch(&self) -> bool {
        self.contrasts().into_iter().any(ContrastiveLoss::in_batch)
    }

    /// With what the first stream gives in place of what the whole run does not.
    #[must_use]
    pub(crate) fn settled(mut self) -> Recipe {
        if let Some(first) = self.streams.first() {
            let absent = self.data.is_absent();
            self.data = first.data.clone().filter(|_| absent).unwrap_or(self.data);
            let absent = self.optim.is_absent();
            self.optim = first.optim.clone().filter(|_| absent).unwrap_or(self.optim);
        }
        let losses = self.contrasts();
        if let Some(contrastive) = &mut self.contrastive {
            contrastive.settle(&losses);
            // batches of so many of each class are whole ones
            self.train.drop_last |= contrastive.m_per_class.is_some();
        }
        self.data = self.data.expanded();
        for stream in &mut self.streams {
            stream.data = stream.data.take().map(Data::expanded);
        }
        self
    }
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
    /// Several labels per picture, one for each of `model.heads`
    MultiTask,
    /// One label per text
    TextClassification,
    /// One label per row of a table
    Classification,
    /// One or several numbers per row of a table
    Regression,
    /// What pictures have in common: pretraining without labels, or embeddings by class
    Contrastive,
}

impl Task {
    /// Its samples are rows of numbers and words.
    pub fn reads_rows(self) -> bool {
        matches!(self, Task::Classification | Task::Regression)
    }

    /// Its samples are pictures.
    pub fn reads_pictures(self) -> bool {
        matches!(self, Task::ImageClassification | Task::MultiTask | Task::Contrastive)
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
