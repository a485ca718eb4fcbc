//! What a session says while it runs.

use luthier_recipe::Metric;
use serde::{Deserialize, Serialize};

use crate::MonitorPoint;

/// Where in the run an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Optimizer updates done so far
    pub update: u64,
    /// Epoch, counted from 0; the epoch that is running
    pub epoch: u64,
    /// Training samples seen so far
    pub samples: u64,
    /// Fraction of the run in epochs: 1.5 is the middle of the second epoch
    pub epochs: f64,
}

/// What a session says while it runs. Everything in an event except `seconds` fields is a function of the plan:
/// an interrupted and resumed run says the same as an uninterrupted one, to the last bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first step is about to run; `at` is not zero when a run is resumed
    RunBegin {
        /// Where the run starts
        at: Position,
    },
    /// An epoch begins (or goes on, when a run is resumed in the middle of one)
    EpochBegin {
        /// Where the epoch starts
        at: Position,
        /// Updates in this epoch
        updates: u64,
    },
    /// A stage begins: other parameters are trained from here on. Not told where the recipe has no stages
    StageBegin {
        /// Where
        at: Position,
        /// Index of the stage
        stage: u64,
        /// Its name
        name: String,
        /// Tensors that it trains
        tensors: u64,
    },
    /// Frozen leading parts are about to run over all samples
    PrefixBegin {
        /// Where
        at: Position,
        /// Samples, of all splits
        samples: u64,
    },
    /// They have run: from here on, samples start behind them
    PrefixEnd {
        /// Where
        at: Position,
        /// Samples that had to be run: the rest were equal to others, or were found in the cache folder
        run: u64,
        /// Bytes kept
        bytes: u64,
        /// Wall time
        seconds: f64,
    },
    /// Parameters that the plan trains and that the first update's losses did not depend on. Told if there are such
    NoGradient {
        /// Where
        at: Position,
        /// Their names, in the model's order
        tensors: Vec<String>,
        /// The stream, where it is one beside the first
        #[serde(default, skip_serializing_if = "String::is_empty")]
        stream: String,
    },
    /// One optimizer update is done
    StepEnd(StepEnd),
    /// Every trained tensor was looked at in the update that ended last
    Monitor(MonitorPoint),
    /// The loss of the update that ended last was far above the run's last ones
    Spike(Spike),
    /// An evaluation begins: a progress bar can say so
    EvalBegin {
        /// Where
        at: Position,
        /// Split name: `train`, `valid`, `test`
        split: String,
        /// Batches it takes
        batches: u64,
    },
    /// A split was evaluated
    EvalEnd(EvalEnd),
    /// Every training sample was given a cluster
    Clustered(Clustered),
    /// Embeddings were looked at
    Embeddings(EmbeddingsEnd),
    /// All updates of an epoch are done
    EpochEnd {
        /// Where
        at: Position,
        /// Mean training loss over all samples of the epoch, as they were seen
        loss: f64,
        /// Share of right answers over all samples of the epoch, as they were seen (augmented, weights moving); `None`
        /// for a regression
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accuracy: Option<f64>,
        /// Wall time of the epoch's updates
        seconds: f64,
        /// Name of the stream that it is told of; empty for the first, or the only one
        #[serde(default, skip_serializing_if = "String::is_empty")]
        stream: String,
        /// The same for each of several heads
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tasks: Vec<TaskScore>,
    },
    /// A sample could not be read and was left out
    SampleSkipped {
        /// Where
        at: Position,
        /// Path of the sample
        path: String,
        /// Why, as a sentence
        why: String,
    },
    /// A checkpoint is on disk
    CheckpointSaved {
        /// Where
        at: Position,
        /// Folder of the checkpoint, below the run directory
        path: String,
        /// The metric is the best so far
        best: bool,
        /// How long the run stood still for it
        seconds: f64,
    },
    /// The run is over
    RunEnd(RunEnd),
}

/// One optimizer update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEnd {
    /// Where; `update` counts this one
    pub at: Position,
    /// Mean loss over the samples of the update (true denominator, accumulation included)
    pub loss: f64,
    /// Right answers among them, of all heads; 0 for a regression
    pub correct: u64,
    /// Samples in the update
    pub count: u64,
    /// Learning rate used, one per optimizer group, in the plan's order
    pub lr: Vec<f64>,
    /// Global norm of the gradient before clipping, without the loss scale; of a skipped update it is not finite
    pub grad_norm: f64,
    /// The gradient was scaled down
    pub clipped: bool,
    /// What the loss was multiplied by before the backward pass; in fp16 alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<f64>,
    /// The gradient overflowed at that scale: nothing was moved, and the next update has a smaller one
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Wall time of the update
    pub seconds: f64,
    /// Part of it spent waiting for data
    pub data_seconds: f64,
    /// Name of the stream whose update it is; empty for the first, or the only one
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// Loss and right answers of each of several heads
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskScore>,
    /// Cosine between the gradients of two heads, for every two; where it is asked for, at updates that are looked at
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gradient_cosine: Vec<(String, String, f64)>,
}

impl StepEnd {
    /// Share of right answers, of all heads together.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / (self.count * self.tasks.len().max(1) as u64) as f64
    }
}

/// How one of several heads does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskScore {
    /// Name of the head
    pub head: String,
    /// Mean of its own loss, without its weight
    pub loss: f64,
    /// Share of its right answers
    pub accuracy: f64,
    /// What its loss was multiplied by in the sum that was minimised, where that is learned; of uncertainty weighting
    /// exp(−log-variance)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// `confusion[truth][guess]` of an evaluation: counts
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confusion: Vec<Vec<u64>>,
    /// Share of answers that are among the first five; of contrasts with a queue or prototypes alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// Share of samples that have another of their class in their batch; of contrasts within batches alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positives: Option<f64>,
    /// Share of mined triplets that are not yet far enough apart; of triplet losses alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<f64>,
    /// Batches in which nothing could be contrasted: they count, and teach nothing
    #[serde(default, skip_serializing_if = "is_zero")]
    pub barren: u64,
}

/// Whether there is nothing to tell.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Clusters of the training samples, at each granularity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clustered {
    /// Where
    pub at: Position,
    /// Samples that have a cluster
    pub samples: u64,
    /// One for each granularity, in the recipe's order
    pub granularities: Vec<Granularity>,
    /// Wall time, features included
    pub seconds: f64,
}

/// Clusters at one granularity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Granularity {
    /// How many
    pub clusters: u64,
    /// Mean squared distance of a sample to its centre
    pub spread: f64,
    /// Samples of the largest
    pub largest: u64,
    /// How often one was left without samples and got a new centre
    pub repaired: u64,
    /// Smallest and largest concentration: the temperatures of the prototypes
    pub concentration: [f64; 2],
}

/// How embeddings lie, and what they say of labels that were not used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingsEnd {
    /// Where
    pub at: Position,
    /// Mean squared distance of two views of a training sample (Wang & Isola 2020); smaller is better
    pub alignment: f64,
    /// ln of the mean of exp(−2 · squared distance) over pairs of training samples; 0 is one point, about −4 is even
    pub uniformity: f64,
    /// Standard deviation of a number of the normalised embeddings, the mean over their numbers
    pub std: f64,
    /// What it is where embeddings are spread evenly: 1/√d. Far below it they have collapsed
    pub even_std: f64,
    /// Share of validation samples whose nearest training samples say their class, by the features before the head;
    /// `None` without labelled samples aside
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knn: Option<f64>,
    /// Training samples whose views were looked at
    pub count: u64,
    /// Wall time
    pub seconds: f64,
}

/// A loss far above the run's last ones, and what came of computing it again: from the same samples and the same random
/// numbers, before the update was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spike {
    /// Where; `update` counts this one
    pub at: Position,
    /// The loss
    pub loss: f64,
    /// Median of the losses before it
    pub median: f64,
    /// What it was the second time: the same where the batch is to blame, another where the computation is
    pub again: f64,
    /// The samples with the highest losses, and those
    pub samples: Vec<(String, f64)>,
}

impl Spike {
    /// Whether the second computation came to the same, to a thousandth: what fast kernels may differ by.
    pub fn is_repeatable(&self) -> bool {
        self.loss == self.again || (self.loss - self.again).abs() <= 1e-3 * self.loss.abs()
    }
}

/// A split was evaluated: each sample once, or some of them once for an estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalEnd {
    /// Where
    pub at: Position,
    /// Split name: `train`, `valid`, `test`
    pub split: String,
    /// Mean loss over the samples
    pub loss: f64,
    /// Share of right answers, of all heads together; `None` for a regression
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Share of the targets' variance that is explained, 1 − squared errors / squared distances from the mean, mean over
    /// the target columns; `None` for classes, and where a target does not vary in the split
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Mean absolute error in the targets' own units, mean over the target columns; `None` for classes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// Samples
    pub count: u64,
    /// A quick look at some of the samples, always the same ones; not what decides which weights are best
    #[serde(default)]
    pub estimate: bool,
    /// `confusion[truth][guess]`: counts, of the first of several heads; empty for a regression
    pub confusion: Vec<Vec<u64>>,
    /// Wall time
    pub seconds: f64,
    /// Name of the stream whose split it is; empty for the first, or the only one
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// The same for each of several heads
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskScore>,
}

impl EvalEnd {
    /// The number by which weights are judged. A figure that a split does not have beats no other.
    pub fn judged_by(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Loss => self.loss,
            Metric::Accuracy => self.accuracy.unwrap_or(f64::NEG_INFINITY),
            Metric::R2 => self.r2.unwrap_or(f64::NEG_INFINITY),
        }
    }
}

/// Why a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every planned update was done
    Finished,
    /// Early stopping
    Stopped,
    /// Ctrl-C or a listener asked; a checkpoint was written
    Interrupted,
    /// The loss or a gradient is not finite, or the loss has stayed far above where it began
    Diverged,
}

/// The run is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEnd {
    /// Where
    pub at: Position,
    /// Why
    pub outcome: Outcome,
    /// Update of the best checkpoint
    pub best_update: Option<u64>,
    /// The validation metric of the best checkpoint
    pub best_metric: Option<f64>,
    /// Code of the rule that stopped a run that diverged
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What it saw, as a sentence
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Wall time of the run, interruptions not counted
    pub seconds: f64,
}

/// What a listener can ask of the session: nothing but to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Go on
    Continue,
    /// Write a checkpoint and leave
    Stop,
}

/// Somebody who hears what happens.
pub trait Listener {
    /// Hears one event. An error (a full disk) ends the run as a [`Wish::Stop`] would, and is reported.
    fn hear(&mut self, event: &Event) -> Result<Wish, Box<dyn miette::Diagnostic + Send + Sync>>;

    /// State that must survive a resume (file lengths, say), stored in each checkpoint.
    fn state(&mut self) -> Result<serde_json::Value, Box<dyn miette::Diagnostic + Send + Sync>> {
        Ok(serde_json::Value::Null)
    }

    /// Name under which [`Listener::state`] is stored.
    fn name(&self) -> &'static str;
}
