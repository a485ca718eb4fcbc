use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Every;

/// When and how the model is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Eval {
    /// How often the validation split is evaluated; it always is at the end
    #[serde(default = "each_epoch")]
    pub every: Every,
    /// Samples per batch; the training batch size if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 64)]
    pub batch_size: Option<u64>,
    /// Which number decides the best checkpoint, early stopping and ReduceLROnPlateau
    #[serde(default)]
    pub metric: Metric,
}

impl Default for Eval {
    fn default() -> Self {
        Eval { every: each_epoch(), batch_size: None, metric: Metric::default() }
    }
}

fn each_epoch() -> Every {
    Every::Epochs(1)
}

/// A validation number that runs are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Mean loss, lower is better
    #[default]
    Loss,
    /// Share of right answers, higher is better
    Accuracy,
}
