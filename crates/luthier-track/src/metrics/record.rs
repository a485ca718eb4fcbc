use luthier_plan::{Clustered, EmbeddingsEnd, Event, Granularity, Outcome, Position, TaskScore};
use serde::{Deserialize, Serialize};

use super::Confusion;

/// One line of `metrics.jsonl`. Nothing in it depends on the clock, on where the run was interrupted or on where
/// its checkpoints were: the file of a resumed run equals that of an uninterrupted one byte for byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// One optimizer update
    Step(StepPoint),
    /// One evaluation
    Eval(EvalPoint),
    /// One epoch's training numbers
    Epoch(EpochPoint),
    /// A stage began
    Stage(StagePoint),
    /// Training samples were given clusters
    Clustered(ClusteredPoint),
    /// Embeddings were looked at
    Embeddings(EmbeddingsPoint),
    /// A sample that was left out
    Skipped(SkippedPoint),
    /// A loss far above the ones before
    Spike(SpikePoint),
    /// The run is over
    End(EndPoint),
    /// A record of a later version
    #[serde(other)]
    Unknown,
}

impl Record {
    /// What a metrics file says of an event; `None` where the event is not a function of the plan alone.
    pub fn of(event: &Event) -> Option<Record> {
        match event {
            Event::StepEnd(step) => Some(Record::Step(StepPoint {
                at: step.at,
                loss: step.loss,
                correct: step.correct,
                count: step.count,
                lr: step.lr.clone(),
                grad_norm: step.grad_norm,
                clipped: step.clipped,
                loss_scale: step.loss_scale,
                skipped: step.skipped,
                stream: step.stream.clone(),
                tasks: tasks_of(&step.tasks),
                gradient_cosine: step.gradient_cosine.clone(),
            })),
            Event::EvalEnd(eval) => Some(Record::Eval(EvalPoint {
                at: eval.at,
                split: eval.split.clone(),
                loss: eval.loss,
                accuracy: eval.accuracy,
                r2: eval.r2,
                mae: eval.mae,
                count: eval.count,
                estimate: eval.estimate,
                confusion: Confusion::from_rows(&eval.confusion),
                stream: eval.stream.clone(),
                tasks: tasks_of(&eval.tasks),
            })),
            Event::EpochEnd { at, loss, accuracy, seconds: _, stream, tasks } => {
                Some(Record::Epoch(EpochPoint {
                    at: *at,
                    loss: *loss,
                    accuracy: *accuracy,
                    stream: stream.clone(),
                    tasks: tasks_of(tasks),
                }))
            }
            Event::StageBegin { at, stage, name, tensors: _ } => {
                Some(Record::Stage(StagePoint { at: *at, stage: *stage, name: name.clone() }))
            }
            Event::Clustered(clustered) => Some(Record::Clustered(ClusteredPoint::of(clustered))),
            Event::Embeddings(end) => Some(Record::Embeddings(EmbeddingsPoint::of(end))),
            Event::SampleSkipped { at, path, why } => {
                Some(Record::Skipped(SkippedPoint { at: *at, path: path.clone(), why: why.clone() }))
            }
            Event::Spike(spike) => Some(Record::Spike(SpikePoint {
                at: spike.at,
                loss: spike.loss,
                median: spike.median,
                again: spike.again,
                repeatable: spike.is_repeatable(),
                worst: spike.samples.clone(),
            })),
            Event::RunEnd(end) => Some(Record::End(EndPoint {
                at: end.at,
                outcome: end.outcome,
                best_update: end.best_update,
                best_metric: end.best_metric,
                rule: end.rule.clone(),
                why: end.why.clone(),
            })),
            // looks at tensors have a file of their own, `monitor.jsonl`; a resumed run begins again, and an interrupted one saves a checkpoint more
            Event::Monitor(_)
            | Event::RunBegin { .. }
            | Event::EpochBegin { .. }
            | Event::NoGradient { .. }
            | Event::EvalBegin { .. }
            | Event::PrefixBegin { .. }
            | Event::PrefixEnd { .. }
            | Event::CheckpointSaved { .. } => None,
        }
    }
}

/// One optimizer update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepPoint {
    /// Where; `update` counts this one
    #[serde(flatten)]
    pub at: Position,
    /// Mean loss over the samples of the update
    #[serde(with = "crate::float")]
    pub loss: f64,
    /// Right answers among them
    pub correct: u64,
    /// Samples in the update
    pub count: u64,
    /// Learning rate used, one per optimizer group
    #[serde(with = "crate::float::list")]
    pub lr: Vec<f64>,
    /// Global norm of the gradient before clipping
    #[serde(with = "crate::float")]
    pub grad_norm: f64,
    /// The gradient was scaled down
    pub clipped: bool,
    /// What the loss was multiplied by before the backward pass; in fp16 alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<f64>,
    /// The gradient overflowed at that scale, and nothing was moved
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Name of a stream beside the first
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// The same for each of several heads
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskPoint>,
    /// Cosine between the gradients of two heads, for every two; at updates at which they were compared
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gradient_cosine: Vec<(String, String, f64)>,
}

/// One evaluation: each sample of the split once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvalPoint {
    /// Where
    #[serde(flatten)]
    pub at: Position,
    /// Split name
    pub split: String,
    /// Mean loss
    #[serde(with = "crate::float")]
    pub loss: f64,
    /// Share of right answers; none for a regression
    #[serde(with = "crate::float::option", default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Share of the targets' variance that a regression explains
    #[serde(with = "crate::float::option", default, skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Mean absolute error of a regression, in the targets' own units
    #[serde(with = "crate::float::option", default, skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// Samples
    pub count: u64,
    /// A quick look at some of the samples
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimate: bool,
    /// Which class was taken for which, of the first of several heads
    pub confusion: Confusion,
    /// Name of a stream beside the first
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// The same for each of several heads
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskPoint>,
}

/// An epoch's training numbers, over its samples as they were seen (augmented, weights moving).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochPoint {
    /// Where it ended
    #[serde(flatten)]
    pub at: Position,
    /// Mean loss
    #[serde(with = "crate::float")]
    pub loss: f64,
    /// Share of right answers; none for a regression
    #[serde(with = "crate::float::option", default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Name of a stream beside the first
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// The same for each of several heads
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskPoint>,
}

/// How one of several heads does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskPoint {
    /// Name of the head
    pub head: String,
    /// Mean of its own loss
    #[serde(with = "crate::float")]
    pub loss: f64,
    /// Share of its right answers
    #[serde(with = "crate::float")]
    pub accuracy: f64,
    /// Its learned weight in the update
    #[serde(with = "crate::float::option", default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Which class was taken for which, in an evaluation
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// Share of answers that are among the first five; of contrasts with a queue or prototypes alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// Share of samples that have another of their class in their batch; of contrasts within batches alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positives: Option<f64>,
    /// Share of mined triplets that are not yet far enough apart; of triplet losses alone
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<f64>,
    /// Batches in which nothing could be contrasted
    #[serde(default, skip_serializing_if = "is_zero")]
    pub barren: u64,
}

/// Whether there is nothing to tell.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Training samples were given clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusteredPoint {
    /// Where
    #[serde(flatten)]
    pub at: Position,
    /// Samples that have one; the position has a `samples` of its own
    #[serde(rename = "members")]
    pub samples: u64,
    /// One for each granularity
    pub granularities: Vec<Granularity>,
}

impl ClusteredPoint {
    fn of(event: &Clustered) -> Self {
        ClusteredPoint { at: event.at, samples: event.samples, granularities: event.granularities.clone() }
    }
}

/// How embeddings lie, and what they say of labels that were not used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingsPoint {
    /// Where
    #[serde(flatten)]
    pub at: Position,
    /// Mean squared distance of two views of a sample
    #[serde(with = "crate::float")]
    pub alignment: f64,
    /// How evenly embeddings are spread: 0 is one point, about −4 is even
    #[serde(with = "crate::float")]
    pub uniformity: f64,
    /// Standard deviation of a number of the normalised embeddings
    #[serde(with = "crate::float")]
    pub std: f64,
    /// What it is where they are spread evenly: 1/√d
    #[serde(with = "crate::float")]
    pub even_std: f64,
    /// Accuracy of the nearest neighbours
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knn: Option<f64>,
    /// Samples whose views were looked at
    pub count: u64,
}

impl EmbeddingsPoint {
    fn of(event: &EmbeddingsEnd) -> Self {
        EmbeddingsPoint {
            at: event.at,
            alignment: event.alignment,
            uniformity: event.uniformity,
            std: event.std,
            even_std: event.even_std,
            knn: event.knn,
            count: event.count,
        }
    }
}

fn tasks_of(tasks: &[TaskScore]) -> Vec<TaskPoint> {
    let point = |task: &TaskScore| TaskPoint {
        head: task.head.clone(),
        loss: task.loss,
        accuracy: task.accuracy,
        weight: task.weight,
        confusion: (!task.confusion.is_empty()).then(|| Confusion::from_rows(&task.confusion)),
        top5: task.top5,
        positives: task.positives,
        active: task.active,
        barren: task.barren,
    };
    tasks.iter().map(point).collect()
}

/// A stage began: other parameters are trained from here on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagePoint {
    /// Where
    #[serde(flatten)]
    pub at: Position,
    /// Index of the stage
    pub stage: u64,
    /// Its name
    pub name: String,
}

/// A sample that could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkippedPoint {
    /// Where
    #[serde(flatten)]
    pub at: Position,
    /// Path of the sample
    pub path: String,
    /// Why, as a sentence
    pub why: String,
}

/// The end of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndPoint {
    /// Where
    #[serde(flatten)]
    pub at: Position,
    /// Why
    pub outcome: Outcome,
    /// Update of the best checkpoint
    pub best_update: Option<u64>,
    /// Its validation metric
    #[serde(with = "crate::float::option", default)]
    pub best_metric: Option<f64>,
    /// Code of the rule that stopped a run that diverged
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What it saw, as a sentence
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A loss far above the ones before, computed a second time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpikePoint {
    /// Where; `update` counts this one
    #[serde(flatten)]
    pub at: Position,
    /// The loss
    #[serde(with = "crate::float")]
    pub loss: f64,
    /// Median of the losses before it
    #[serde(with = "crate::float")]
    pub median: f64,
    /// What it was the second time, from the same samples and random numbers
    #[serde(with = "crate::float")]
    pub again: f64,
    /// The two are the same: the batch is to blame, not the computation
    pub repeatable: bool,
    /// The samples with the highest losses, and those
    pub worst: Vec<(String, f64)>,
}
