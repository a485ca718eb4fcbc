use std::path::Path;

use luthier_plan::Event;
use serde::{Deserialize, Serialize};

use super::read::{Cut, read_lines};
use crate::TrackError;

/// One line of `timing.jsonl`: what depends on the clock, and on where the run was interrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TimingRecord {
    /// A process began to work on the run
    Begin {
        /// Updates done before
        update: u64,
        /// Seconds since 1970
        time: f64,
    },
    /// One optimizer update
    Step {
        /// Which
        update: u64,
        /// Training samples in it
        count: u64,
        /// Wall time
        seconds: f64,
        /// Part of it spent waiting for data
        data_seconds: f64,
    },
    /// One evaluation
    Eval {
        /// After which update
        update: u64,
        /// Split name
        split: String,
        /// Samples in it
        count: u64,
        /// Wall time
        seconds: f64,
    },
    /// One epoch's updates
    Epoch {
        /// After which update
        update: u64,
        /// Wall time
        seconds: f64,
    },
    /// A checkpoint
    Checkpoint {
        /// After which update
        update: u64,
        /// Folder, below the run directory
        path: String,
        /// The metric was the best so far
        best: bool,
        /// Wall time of the write
        seconds: f64,
    },
    /// Frozen leading parts ran once over the samples
    Prefix {
        /// Updates done before
        update: u64,
        /// Samples that had to be run
        run: u64,
        /// Bytes kept
        bytes: u64,
        /// Wall time
        seconds: f64,
    },
    /// The run is over
    End {
        /// After which update
        update: u64,
        /// Wall time of the run, interruptions not counted
        seconds: f64,
    },
    /// A record of a later version
    #[serde(other)]
    Unknown,
}

impl TimingRecord {
    /// What a timing file says of an event; `time` is seconds since 1970.
    pub fn of(event: &Event, time: f64) -> Option<TimingRecord> {
        match event {
            Event::RunBegin { at } => Some(TimingRecord::Begin { update: at.update, time }),
            Event::StepEnd(step) => Some(TimingRecord::Step {
                update: step.at.update,
                count: step.count,
                seconds: step.seconds,
                data_seconds: step.data_seconds,
            }),
            Event::EvalEnd(eval) => Some(TimingRecord::Eval {
                update: eval.at.update,
                split: eval.split.clone(),
                count: eval.count,
                seconds: eval.seconds,
            }),
            Event::Embeddings(end) => Some(TimingRecord::Eval {
                update: end.at.update,
                split: "embeddings".into(),
                count: end.count,
                seconds: end.seconds,
            }),
            Event::Clustered(clustered) => Some(TimingRecord::Eval {
                update: clustered.at.update,
                split: "clusters".into(),
                count: clustered.samples,
                seconds: clustered.seconds,
            }),
            Event::EpochEnd { at, seconds, .. } => {
                Some(TimingRecord::Epoch { update: at.update, seconds: *seconds })
            }
            Event::CheckpointSaved { at, path, best, seconds } => Some(TimingRecord::Checkpoint {
                update: at.update,
                path: path.clone(),
                best: *best,
                seconds: *seconds,
            }),
            Event::RunEnd(end) => Some(TimingRecord::End { update: end.at.update, seconds: end.seconds }),
            Event::PrefixEnd { at, run, bytes, seconds } => {
                Some(TimingRecord::Prefix { update: at.update, run: *run, bytes: *bytes, seconds: *seconds })
            }
            Event::EpochBegin { .. }
            | Event::StageBegin { .. }
            | Event::PrefixBegin { .. }
            | Event::EvalBegin { .. }
            | Event::Monitor(_)
            | Event::Spike(_)
            | Event::NoGradient { .. }
            | Event::SampleSkipped { .. } => None,
        }
    }
}

/// How long a run took, added up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timing {
    /// Updates, waiting for data included, in seconds
    pub train_seconds: f64,
    /// Part of it spent waiting for data
    pub data_seconds: f64,
    /// Evaluations
    pub eval_seconds: f64,
    /// Writing checkpoints
    pub checkpoint_seconds: f64,
    /// Running frozen leading parts once
    pub prefix_seconds: f64,
    /// Training samples of all updates
    pub samples: u64,
    /// Wall time of the run as it said itself, interruptions not counted; `None` while it is not over
    pub total: Option<f64>,
    /// When the run first began, in seconds since 1970
    pub began: Option<f64>,
    /// How often a process began to work on it: 1, and one more for each resume that is left in the file
    pub processes: usize,
    /// The last line was cut off
    pub cut: Option<Cut>,
}

impl Timing {
    /// Training samples per second of training.
    pub fn samples_per_second(&self) -> Option<f64> {
        (self.train_seconds > 0.0).then(|| self.samples as f64 / self.train_seconds)
    }

    /// Wall time: what the run said, or else the sum of its parts.
    pub fn seconds(&self) -> f64 {
        self.total
            .unwrap_or(self.train_seconds + self.eval_seconds + self.checkpoint_seconds + self.prefix_seconds)
    }
}

/// Reads `timing.jsonl`.
///
/// # Errors
/// The file cannot be read, or a line in the middle of it is garbled.
pub fn read_timing(path: &Path) -> Result<Timing, TrackError> {
    let mut timing = Timing::default();
    timing.cut = read_lines(path, |record| match record {
        TimingRecord::Begin { time, .. } => {
            timing.began.get_or_insert(time);
            timing.processes += 1;
        }
        TimingRecord::Step { count, seconds, data_seconds, .. } => {
            timing.train_seconds += seconds;
            timing.data_seconds += data_seconds;
            timing.samples += count;
        }
        TimingRecord::Eval { seconds, .. } => timing.eval_seconds += seconds,
        TimingRecord::Checkpoint { seconds, .. } => timing.checkpoint_seconds += seconds,
        TimingRecord::Prefix { seconds, .. } => timing.prefix_seconds += seconds,
        TimingRecord::End { seconds, .. } => timing.total = Some(seconds),
        TimingRecord::Epoch { .. } | TimingRecord::Unknown => {}
    })?;
    Ok(timing)
}
