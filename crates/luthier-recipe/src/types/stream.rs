use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Data, Optim, Schedule, limits};

/// One of several streams of samples that a model is trained on in turn, each by an optimizer of its own.
///
/// What a stream does not give is the whole run's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stream {
    /// What it is called in the plan and the logs
    #[schemars(length(min = 1), example = &"replay")]
    pub name: String,
    /// Where its samples come from; required where there is no table `[data]` for all streams
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// The heads that it trains, each with the share of its loss in the sum; all heads with their own weights if empty
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "classifier": 1.0, "yaw": 0.5 }))]
    pub loss_weights: IndexMap<String, f64>,
    /// Glob patterns of the only parameters that its optimizer moves; all that the model trains if empty
    #[serde(default)]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["classifier.*"]))]
    pub train: Vec<String>,
    /// How its optimizer updates weights
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optim: Option<Optim>,
    /// How its learning rate changes; counted in its own updates
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Samples per batch
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 32)]
    pub batch_size: Option<u64>,
    /// Scales its gradients down to this global L2 norm
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::positive, example = 1.0)]
    pub clip_grad_norm: Option<f64>,
    /// Updates in a row, where `train.interleave` is `ratio`
    #[serde(default = "once")]
    #[schemars(range(min = 1))]
    pub steps: u64,
}

impl Stream {
    /// Whether it gives the table itself that a key such as `optim.lr` is in.
    pub fn gives(&self, key: &str) -> bool {
        match key.split(['.', '[']).next() {
            Some("data") => self.data.is_some(),
            Some("optim") => self.optim.is_some(),
            Some("schedule") => self.schedule.is_some(),
            _ => false,
        }
    }
}

fn once() -> u64 {
    1
}

/// How streams take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Interleave {
    /// One update of each in turn
    #[default]
    Alternate,
    /// `steps` updates of each in turn
    Ratio,
    /// One update of the first stream's optimizer by the sum of all streams' gradients
    Sum,
}

/// When an epoch of several streams ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EpochEnds {
    /// With the stream that has its samples used up first; what the others have left waits for another epoch's order
    #[default]
    Shortest,
    /// With the last; the others start over, shuffled anew
    Longest,
}
