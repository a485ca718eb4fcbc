//! Where a run stands: everything besides weights and optimizer state that the next update depends on.

use std::collections::BTreeMap;

use luthier_plan::{Length, Plateau, Position, Watch};
use serde::{Deserialize, Serialize};

use crate::objective::Score;
use crate::scaler::Scaling;

/// Where a run stands after an update. Randomness needs no state: it is drawn from (seed, update) and
/// (seed, epoch, sample).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Optimizer updates done
    pub update: u64,
    /// Epoch that is running, counted from 0
    pub epoch: u64,
    /// Pass over the training samples that is running, counted from 0: the epoch, unless another stream is longer
    pub pass: u64,
    /// Batches of that pass that are done
    pub batch: u64,
    /// Training samples seen
    pub samples: u64,
    /// What the running epoch has added up to
    pub sums: Sums,
    /// The best evaluation so far
    pub best: Option<Best>,
    /// Evaluations since then
    pub bad: u64,
    /// State of `ReduceLROnPlateau`
    pub plateau: Plateau,
    /// Update of the last evaluation of the validation split
    pub evaluated: Option<u64>,
    /// Early stopping has ended the run
    pub stopped: bool,
    /// The losses of the last updates
    #[serde(default)]
    pub watch: Watch,
    /// Update of the last checkpoint with weights that are finite, from before the loss rose far above its start
    #[serde(default)]
    pub good: Option<u64>,
    /// Where the loss scale stands, in fp16
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Where the other streams stand
    #[serde(default)]
    pub streams: Vec<StreamState>,
    /// Wall time so far
    pub seconds: f64,
    /// What listeners need to go on
    pub listeners: BTreeMap<String, serde_json::Value>,
}

/// What the training samples of an epoch have added up to, as they were seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Of each head
    pub heads: Vec<Score>,
    /// Samples
    pub count: u64,
    /// Wall time of the updates
    pub seconds: f64,
}

/// Where a stream stands beside the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamState {
    /// Its own updates done
    pub update: u64,
    /// Pass over its samples that is running, counted from 0
    pub pass: u64,
    /// Batches of that pass that are done
    pub batch: u64,
    /// Its samples seen
    pub samples: u64,
    /// What the running epoch has added up to
    pub sums: Sums,
    /// State of its `ReduceLROnPlateau`
    pub plateau: Plateau,
    /// The losses of its last updates
    pub watch: Watch,
    /// Where its loss scale stands, in fp16
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// The best evaluation so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// After which update
    pub update: u64,
    /// Value of `eval.metric`
    pub metric: f64,
}

impl State {
    /// The state as an event's position.
    pub fn position(&self, length: &Length) -> Position {
        let part = self.batch as f64 / length.batches_per_epoch as f64;
        Position {
            update: self.update,
            epoch: self.epoch,
            samples: self.samples,
            epochs: self.epoch as f64 + part,
        }
    }
}
