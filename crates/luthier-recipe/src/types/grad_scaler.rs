use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// How the loss is scaled in fp16, as by `torch.amp.GradScaler`: multiplied by a number before the backward pass, so that
/// small gradients do not round to 0, and the gradients divided by it before they are clipped and used. Gradients that
/// overflow lower the scale, and their update is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GradScaler {
    /// Scale of the first update
    #[serde(default = "init_scale")]
    #[schemars(transform = limits::positive)]
    pub init_scale: f64,
    /// What the scale is multiplied by after `growth_interval` updates in a row without an overflow
    #[serde(default = "growth_factor")]
    #[schemars(transform = limits::above_one)]
    pub growth_factor: f64,
    /// What it is multiplied by after an overflow
    #[serde(default = "backoff_factor")]
    #[schemars(transform = limits::inside)]
    pub backoff_factor: f64,
    /// Updates in a row without an overflow after which the scale grows
    #[serde(default = "growth_interval")]
    #[schemars(range(min = 1))]
    pub growth_interval: u64,
}

impl Default for GradScaler {
    fn default() -> Self {
        GradScaler {
            init_scale: init_scale(),
            growth_factor: growth_factor(),
            backoff_factor: backoff_factor(),
            growth_interval: growth_interval(),
        }
    }
}

fn init_scale() -> f64 {
    65536.0
}
fn growth_factor() -> f64 {
    2.0
}
fn backoff_factor() -> f64 {
    0.5
}
fn growth_interval() -> u64 {
    2000
}
