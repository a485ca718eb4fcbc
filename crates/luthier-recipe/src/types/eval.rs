use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Every;

/// When and how the model is evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Eval {
    /// How often the validation split is evaluated; it always is at the end
    #[serde(default = "each_epoch")]
    pub every: Every,
    /// Samples per batch; the training batch size if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 64)]
    pub batch_size: Option<u64>,
    /// Training batches' worth of samples for a quick estimate on both splits, taken at `every`; the whole validation
    /// split is then evaluated after each epoch, and only that decides what is best
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), example = 5)]
    pub batches: Option<u64>,
    /// Splits that are evaluated whole at the end of the run, where there are such: any of `train`, `valid`, `test`
    #[serde(default = "held_out")]
    pub at_end: Vec<SplitName>,
    /// Which number decides the best checkpoint, early stopping and ReduceLROnPlateau
    #[serde(default)]
    pub metric: Metric,
}

impl Default for Eval {
    fn default() -> Self {
        Eval {
            every: each_epoch(),
            batch_size: None,
            batches: None,
            at_end: held_out(),
            metric: Metric::default(),
        }
    }
}

fn each_epoch() -> Every {
    Every::Epochs(1)
}

fn held_out() -> Vec<SplitName> {
    vec![SplitName::Valid, SplitName::Test]
}

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SplitName {
    /// What is trained on
    Train,
    /// What decides which weights are best
    Valid,
    /// What is looked at once, at the end
    Test,
}

impl SplitName {
    /// The name as plans and events write it.
    pub fn as_str(self) -> &'static str {
        match self {
            SplitName::Train => "train",
            SplitName::Valid => "valid",
            SplitName::Test => "test",
        }
    }
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
    /// Share of the targets' variance that a regression explains, higher is better
    R2,
}

impl Metric {
    /// The name as recipes write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Metric::Loss => "loss",
            Metric::Accuracy => "accuracy",
            Metric::R2 => "r2",
        }
    }

    /// Whether more is better.
    pub fn higher_is_better(self) -> bool {
        self != Metric::Loss
    }
}
