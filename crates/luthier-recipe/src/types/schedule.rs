use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// How the learning rate changes over the run. Every group's rate is its own base rate times one common factor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Schedule {
    /// The curve and its numbers
    #[serde(flatten)]
    pub curve: Curve,
    /// What the curve's numbers count: `epoch` or `step` (one optimizer update)
    #[schemars(example = &"epoch")]
    pub unit: Unit,
    /// A linear rise from `start` × lr to lr over the first updates; a curve that counts steps begins after it
    #[serde(default)]
    pub warmup: Warmup,
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { curve: Curve::Constant, unit: Unit::Epoch, warmup: Warmup::default() }
    }
}

/// What a schedule's numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Epochs: the rate changes between epochs only
    Epoch,
    /// Optimizer updates
    Step,
}

/// The curve; names, defaults and arithmetic are `torch.optim.lr_scheduler`'s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Curve {
    /// The base rate throughout
    #[serde(rename = "constant")]
    Constant,
    /// × `gamma` every `step_size` units
    StepLR {
        /// Units between two drops
        #[schemars(range(min = 1), example = 3)]
        step_size: u64,
        /// Factor of each drop
        #[serde(default = "tenth")]
        #[schemars(transform = limits::positive)]
        gamma: f64,
    },
    /// × `gamma` at each milestone
    MultiStepLR {
        /// Units at which the rate drops, rising
        #[schemars(length(min = 1), inner(range(min = 1)), example = serde_json::json!([30, 60, 90]))]
        milestones: Vec<u64>,
        /// Factor of each drop
        #[serde(default = "tenth")]
        #[schemars(transform = limits::positive)]
        gamma: f64,
    },
    /// × `gamma` every unit
    ExponentialLR {
        /// Factor per unit
        #[schemars(transform = limits::positive, example = 0.95)]
        gamma: f64,
    },
    /// Half a cosine from lr to `eta_min`
    CosineAnnealingLR {
        /// Units from top to bottom; the whole run (after warm-up) if not given
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1), example = 10)]
        t_max: Option<u64>,
        /// Lowest rate, as an absolute learning rate for the base group
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        eta_min: f64,
    },
    /// Up from `max_lr` / `div_factor` to `max_lr`, then down (Smith 2018); momentum is not cycled. Counts steps only
    OneCycleLR {
        /// Highest rate for the base group; lr if not given
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(transform = limits::positive, example = 0.1)]
        max_lr: Option<f64>,
        /// Share of the run in which the rate rises
        #[serde(default = "pct_start")]
        #[schemars(transform = limits::inside)]
        pct_start: f64,
        /// First rate = `max_lr` / `div_factor`
        #[serde(default = "div_factor")]
        #[schemars(transform = limits::positive)]
        div_factor: f64,
        /// Last rate = first rate / `final_div_factor`
        #[serde(default = "final_div_factor")]
        #[schemars(transform = limits::positive)]
        final_div_factor: f64,
        /// `cos` or `linear`
        #[serde(default)]
        anneal_strategy: Anneal,
    },
    /// A straight line from `start_factor` to `end_factor` over `total_iters` units
    LinearLR {
        /// Factor at the beginning
        #[serde(default = "third")]
        #[schemars(range(min = 0.0, max = 1.0))]
        start_factor: f64,
        /// Factor at the end
        #[serde(default = "one")]
        #[schemars(range(min = 0.0, max = 1.0))]
        end_factor: f64,
        /// Units the line takes; the whole run (after warm-up) if not given
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1), example = 10)]
        total_iters: Option<u64>,
    },
    /// × `factor` when the metric of `eval.metric` has not improved for more than `patience` evaluations
    ReduceLROnPlateau {
        /// Factor of each drop
        #[serde(default = "tenth")]
        #[schemars(transform = limits::inside)]
        factor: f64,
        /// Evaluations without improvement that are forgiven
        #[serde(default = "patience")]
        patience: u64,
        /// Relative improvement that counts
        #[serde(default = "threshold")]
        #[schemars(range(min = 0.0))]
        threshold: f64,
        /// Lowest rate, as an absolute learning rate for the base group
        #[serde(default)]
        #[schemars(range(min = 0.0))]
        min_lr: f64,
    },
}

/// How OneCycleLR moves between its three rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Anneal {
    /// Half a cosine
    #[default]
    Cos,
    /// A straight line
    Linear,
}

/// A linear rise before the curve begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warmup {
    /// Optimizer updates the rise takes; 0 = none
    #[serde(default)]
    pub steps: u64,
    /// Factor of the first update
    #[serde(default = "hundredth")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub start: f64,
}

impl Default for Warmup {
    fn default() -> Self {
        Warmup { steps: 0, start: hundredth() }
    }
}

fn hundredth() -> f64 {
    0.01
}
fn tenth() -> f64 {
    0.1
}
fn third() -> f64 {
    1.0 / 3.0
}
fn one() -> f64 {
    1.0
}
fn pct_start() -> f64 {
    0.3
}
fn div_factor() -> f64 {
    25.0
}
fn final_div_factor() -> f64 {
    1e4
}
fn patience() -> u64 {
    10
}
fn threshold() -> f64 {
    1e-4
}
