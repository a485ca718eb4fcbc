use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// How the losses of several heads are weighed against each other. The loss that is told is the sum by the heads' own
/// weights in any case, so that it can be compared from update to update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum TaskWeighting {
    /// By each head's `weight` throughout
    #[default]
    Fixed,
    /// By a learned log-variance s of each head (Kendall et al. 2018): the sum of exp(−s) · loss + s / 2 is minimised. s
    /// begins at −ln of the head's `weight`, and is not decayed
    Uncertainty {
        /// Learning rate of the log-variances, which follows the schedule; the optimizer's if not given
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(transform = limits::positive, example = 0.01)]
        lr: Option<f64>,
    },
    /// By weights that keep the heads' gradients at a layer that they share at sizes that go with how fast each learns
    /// (Chen et al. 2018). They begin at the heads' `weight`, and their sum stays
    GradNorm {
        /// How much more a head is pulled that learns more slowly than the others; at 0 all gradients shall be of one
        /// size
        #[serde(default = "alpha")]
        #[schemars(range(min = 0.0))]
        alpha: f64,
        /// Learning rate of the weights, by Adam and constant
        #[serde(default = "rate")]
        #[schemars(transform = limits::positive)]
        lr: f64,
        /// Glob patterns of the parameters at which gradients are compared; the last weight matrix that all heads share
        /// if empty
        #[serde(default)]
        #[schemars(inner(length(min = 1)), example = serde_json::json!(["layer4.1.conv2.weight"]))]
        shared: Vec<String>,
    },
}

// both are the paper's: alpha for its first data set, the rate for all of them
fn alpha() -> f64 {
    1.5
}
fn rate() -> f64 {
    0.025
}

impl TaskWeighting {
    /// Its name in a recipe.
    pub fn name(&self) -> &'static str {
        match self {
            TaskWeighting::Fixed => "fixed",
            TaskWeighting::Uncertainty { .. } => "uncertainty",
            TaskWeighting::GradNorm { .. } => "gradnorm",
        }
    }
}
