//! What a run wrote down.

use luthier_track::Metrics;
use serde::{Deserialize, Serialize};

/// What a run wrote down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFacts {
    /// `metrics.jsonl`
    pub metrics: Metrics,
    /// `monitor.jsonl`: a look at every tensor, now and then
    pub monitor: Vec<MonitorPoint>,
}

/// A look at every tensor at one update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MonitorPoint {
    /// Updates done, this one counted
    pub update: u64,
    /// Trained tensors, in the plan's order
    pub tensors: Vec<TensorPoint>,
    /// Outputs of the network's parts, first to last
    pub outputs: Vec<OutputPoint>,
}

/// One trained tensor at one update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TensorPoint {
    /// Parameter name
    pub name: String,
    /// ‖w‖ before the update
    pub norm: f64,
    /// ‖gradient‖ before clipping
    pub grad: f64,
    /// ‖Δw‖ of this very update, measured, not lr × gradient
    pub update: f64,
}

/// What came out of one part or activation of the network, over a batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputPoint {
    /// Name of the part, as the plan has it; of an activation, with its kind and number there: `layer1.0.relu2`
    pub name: String,
    /// What it is: `relu`, `sigmoid` … for an activation, `block` for a part, `output` for the last part
    pub kind: String,
    /// Standard deviation over everything
    pub std: f64,
    /// Mean absolute value
    pub mean_abs: f64,
    /// Share of units (channels, features) that are ≤ 0 for every sample (and position): dead, after a ReLU
    pub dead: f64,
    /// Share of numbers where a sigmoid, tanh or softmax is flat (|derivative| < 1e-3 of its largest)
    pub saturated: f64,
}
