//! Looks at a model while it trains: every trained tensor, now and then.

use luthier_recipe::Monitor;
use serde::{Deserialize, Serialize};

use crate::Plan;

/// A look at every tensor at one update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MonitorPoint {
    /// Updates done, this one counted
    pub update: u64,
    /// Trained tensors, in the plan's order
    pub tensors: Vec<TensorPoint>,
    /// Outputs of the network's parts, first to last
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputPoint>,
}

/// One trained tensor at one update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TensorPoint {
    /// Parameter name
    pub name: String,
    /// ‖w‖ before the update
    #[serde(with = "crate::float")]
    pub norm: f64,
    /// ‖gradient‖ before clipping
    #[serde(with = "crate::float")]
    pub grad: f64,
    /// ‖Δw‖ of this very update, measured, not lr × gradient
    #[serde(with = "crate::float")]
    pub update: f64,
    /// What LAMB or LARS multiplied this tensor's step by; not there for others, and for tensors that are spared
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<f64>,
}

/// What came out of one part or activation of the network, over a batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputPoint {
    /// Name of the part, as the plan has it; of an activation, with its kind and number there: `layer1.0.relu2`
    pub name: String,
    /// What it is: `relu`, `sigmoid` … for an activation, `block` for a part, `output` for the last part
    pub kind: String,
    /// Standard deviation over everything
    #[serde(with = "crate::float")]
    pub std: f64,
    /// Mean absolute value
    #[serde(with = "crate::float")]
    pub mean_abs: f64,
    /// Share of units (channels, features) that are ≤ 0 for every sample (and position): dead, after a ReLU
    #[serde(with = "crate::float")]
    pub dead: f64,
    /// Share of numbers where a sigmoid, tanh or softmax is flat (|derivative| < 1e-3 of its largest)
    #[serde(with = "crate::float")]
    pub saturated: f64,
}

/// Updates at which a run is looked at whatever its length: most of what goes wrong does so early.
const EARLY: [u64; 6] = [1, 2, 5, 10, 20, 50];

/// Updates between two looks of a run of any length. A look copies the trained weights once and reads them and their
/// gradients once more, which no step undercuts by far: one in fifty keeps the cost of a long run below 2 % even of the cheapest step.
const APART: u64 = 50;

/// Looks of one run, about: a long one is looked at more seldom, so that `monitor.jsonl` stays small.
const LOOKS: u64 = 200;

/// Whether the update of that number, counted from 1, is looked at. A function of the plan alone.
pub fn is_looked_at(plan: &Plan, update: u64) -> bool {
    let (monitor, updates) = (plan.recipe.train.monitor, plan.length.updates);
    monitor.enabled
        && (EARLY.contains(&update) || update == updates || update.is_multiple_of(between(monitor, updates)))
}

/// Updates between two looks, after the first ones.
fn between(monitor: Monitor, updates: u64) -> u64 {
    monitor.every.unwrap_or_else(|| updates.div_ceil(LOOKS).max(APART)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_apart_with_the_run() {
        let auto = Monitor::default();
        assert_eq!(between(auto, 150), 50);
        assert_eq!(between(auto, 100_000), 500);
        assert_eq!(between(Monitor { every: Some(10), ..auto }, 100_000), 10);
    }
}
