use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EpochEnds, Every, GradScaler, Interleave, TaskWeighting, limits};

/// Length, batch and precision of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Train {
    /// Passes over the training samples
    #[schemars(range(min = 1), example = 5)]
    pub epochs: u64,
    /// Samples per batch
    #[schemars(range(min = 1), example = 32)]
    pub batch_size: u64,
    /// Batches whose gradients are summed into one optimizer update
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub grad_accum: u64,
    /// Leave out the last batch of an epoch when it is not full
    #[serde(default)]
    pub drop_last: bool,
    /// Draw the training samples in a new order each epoch
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Scale all gradients together so that their global norm is at most this
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::positive, example = 1.0)]
    pub clip_grad_norm: Option<f64>,
    /// Number format of the forward and backward pass; weights are kept in fp32 always
    #[serde(default)]
    pub precision: Precision,
    /// How the loss is scaled in fp16
    #[serde(default)]
    pub grad_scaler: GradScaler,
    /// Run frozen leading parts once per sample and keep what they give, where that is exact
    #[serde(default)]
    pub prefix_cache: PrefixCache,
    /// Where the head reads one token, compute the last block's queries and MLP for that token alone
    #[serde(default = "yes")]
    pub shortcuts: bool,
    /// How `streams` take turns
    #[serde(default)]
    pub interleave: Interleave,
    /// When an epoch of several `streams` ends
    #[serde(default)]
    pub epoch_ends: EpochEnds,
    /// How the losses of several heads are weighed against each other
    #[serde(default)]
    pub task_weighting: TaskWeighting,
    /// Keep an exponential moving average of the weights, and evaluate and save that
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "decay": 0.999 }))]
    pub ema: Option<Ema>,
    /// Stop when the validation metric no longer improves
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "patience": 3 }))]
    pub early_stopping: Option<EarlyStopping>,
    /// When checkpoints are written and which are kept
    #[serde(default)]
    pub checkpoint: Checkpoint,
    /// Looks at every trained tensor now and then and writes down its norm, its gradient's and its change's, for
    /// `luthier doctor`
    #[serde(default)]
    pub monitor: Monitor,
    /// What to do when the loss has stayed far above where it began. A loss or a gradient that is not finite always
    /// ends the run
    #[serde(default)]
    pub on_divergence: OnDivergence,
}

fn one() -> u64 {
    1
}
fn yes() -> bool {
    true
}

/// Number format of the forward and backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// bf16 where the device computes it faster than fp32, else fp32
    #[default]
    Auto,
    /// 32-bit floats throughout
    Fp32,
    /// bfloat16 autocast over fp32 weights
    Bf16,
    /// IEEE 754's 16-bit floats: autocast over fp32 weights, and a loss scale that `grad_scaler` moves. For GPUs without
    /// bf16; most CPUs emulate it
    Fp16,
}

/// Keeps what frozen leading parts give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrefixCache {
    /// Use it where it is exact and is used more than once
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Memory it may take, in MiB; above it goes to a memory-mapped file in the user's cache folder
    #[serde(default = "prefix_memory")]
    pub memory_mib: u64,
    /// Disk it may take, in MiB; above it is not used
    #[serde(default = "prefix_disk")]
    pub disk_mib: u64,
}

impl Default for PrefixCache {
    fn default() -> Self {
        PrefixCache { enabled: true, memory_mib: prefix_memory(), disk_mib: prefix_disk() }
    }
}

fn prefix_memory() -> u64 {
    2048
}
fn prefix_disk() -> u64 {
    16384
}

/// An exponential moving average of the weights: of all that any stream's optimizer moves, taken after each update of the
/// first stream and the others' turns after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ema {
    /// Share of the old average kept at each update, in (0, 1)
    #[schemars(transform = limits::inside, example = 0.999)]
    pub decay: f64,
}

/// Stops a run that no longer improves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EarlyStopping {
    /// Evaluations without improvement that are forgiven
    #[schemars(example = 3)]
    pub patience: u64,
    /// Improvement that counts, in units of the metric
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub min_delta: f64,
}

/// When checkpoints are written and which are kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// How often a checkpoint is written; one is always written at the end
    #[serde(default = "each_epoch")]
    pub every: Every,
    /// How many of the newest are kept, at least 1; the best one is kept besides
    #[serde(default = "two")]
    #[schemars(range(min = 1))]
    pub keep: u64,
}

impl Default for Checkpoint {
    fn default() -> Self {
        Checkpoint { every: each_epoch(), keep: two() }
    }
}

/// Looks at every trained tensor now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Monitor {
    /// Write `monitor.jsonl`
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Updates between two looks, after the first at 1, 2, 5, 10, 20 and 50. If not given, 50, or a 200th of a long run:
    /// that keeps the cost below 2 % of the run
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 100)]
    pub every: Option<u64>,
    /// At each look, the cosine between the gradients of every two heads, over the parameters that all heads share: below
    /// 0, what helps the one harms the other. It takes a backward pass for each head, and memory for a gradient of each
    #[serde(default)]
    pub gradient_cosine: bool,
}

impl Default for Monitor {
    fn default() -> Self {
        Monitor { enabled: true, every: None, gradient_cosine: false }
    }
}

/// What to do with a run that has gone off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnDivergence {
    /// End it, say so, and keep the last checkpoint from before
    #[default]
    Stop,
    /// Go on to the end
    GoOn,
}

fn each_epoch() -> Every {
    Every::Epochs(1)
}
fn two() -> u64 {
    2
}
