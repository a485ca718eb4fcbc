use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// What is minimised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Loss {
    /// Softmax cross-entropy on logits, as `torch.nn.CrossEntropyLoss`
    CrossEntropy {
        /// Share of the target spread over all classes, in [0, 1)
        #[serde(default)]
        #[schemars(transform = limits::below_one)]
        label_smoothing: f64,
        /// Weight of each class: `none`, `balanced` (n / (classes · count)), or one number per class in class order
        #[serde(default)]
        class_weights: ClassWeights,
    },
}

impl Default for Loss {
    fn default() -> Self {
        Loss::CrossEntropy { label_smoothing: 0.0, class_weights: ClassWeights::default() }
    }
}

/// Weight of each class in the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClassWeights {
    /// `none` or `balanced`
    Rule(ClassWeightRule),
    /// One weight per class, in class order
    Each(Vec<f64>),
}

impl Default for ClassWeights {
    fn default() -> Self {
        ClassWeights::Rule(ClassWeightRule::None)
    }
}

/// How class weights are derived from the training samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeightRule {
    /// All classes weigh the same
    #[default]
    None,
    /// n / (classes · count of the class)
    Balanced,
}
