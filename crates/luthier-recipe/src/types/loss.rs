use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// What is minimised. Losses that are told are means, whatever `reduction` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Loss {
    /// Softmax cross-entropy on logits, as `torch.nn.CrossEntropyLoss`; on probabilities, −log of the right class's
    CrossEntropy {
        /// Share of the target spread over all classes, in [0, 1)
        #[serde(default)]
        #[schemars(transform = limits::below_one)]
        label_smoothing: f64,
        /// Weight of each class: `none`, `balanced` (n / (classes · count)), or one number per class in class order
        #[serde(default)]
        class_weights: ClassWeights,
        /// What the model gives
        #[serde(default)]
        input: LossInput,
        /// How the losses of a batch become the number that gradients are taken of
        #[serde(default)]
        reduction: Reduction,
    },
    /// Binary cross-entropy of every output, as `torch.nn.BCEWithLogitsLoss`; on probabilities, as `torch.nn.BCELoss`.
    /// One output tells two classes apart, several are each a class against all others
    Bce {
        /// Weight of each class: `none`, `balanced` (n / (classes · count)), or one number per class in class order
        #[serde(default)]
        class_weights: ClassWeights,
        /// What the model gives
        #[serde(default)]
        input: LossInput,
        /// How the losses of a batch become the number that gradients are taken of
        #[serde(default)]
        reduction: Reduction,
    },
    /// Mean squared error, as `torch.nn.MSELoss`; classes are 0 and 1, or 1 for the right output and 0 for the others
    Mse {
        /// How the losses of a batch become the number that gradients are taken of
        #[serde(default)]
        reduction: Reduction,
    },
    /// Mean absolute error, as `torch.nn.L1Loss`
    Mae {
        /// How the losses of a batch become the number that gradients are taken of
        #[serde(default)]
        reduction: Reduction,
    },
    /// Squared near 0 and absolute beyond, as `torch.nn.SmoothL1Loss`
    SmoothL1 {
        /// Where it changes from the one to the other
        #[serde(default = "one")]
        #[schemars(transform = limits::positive)]
        beta: f64,
        /// How the losses of a batch become the number that gradients are taken of
        #[serde(default)]
        reduction: Reduction,
    },
    /// Hinge loss with margin 1: of one output, max(0, 1 − y · x) for y = ±1; of several, as
    /// `torch.nn.MultiMarginLoss`
    Hinge {
        /// How the losses of a batch become the number that gradients are taken of
        #[serde(default)]
        reduction: Reduction,
    },
}

fn one() -> f64 {
    1.0
}

impl Default for Loss {
    fn default() -> Self {
        Loss::CrossEntropy {
            label_smoothing: 0.0,
            class_weights: ClassWeights::default(),
            input: LossInput::default(),
            reduction: Reduction::default(),
        }
    }
}

impl Loss {
    /// The name as recipes write it.
    pub fn name(&self) -> &'static str {
        match self {
            Loss::CrossEntropy { .. } => "cross_entropy",
            Loss::Bce { .. } => "bce",
            Loss::Mse { .. } => "mse",
            Loss::Mae { .. } => "mae",
            Loss::SmoothL1 { .. } => "smooth_l1",
            Loss::Hinge { .. } => "hinge",
        }
    }

    /// Weight of each class, where the loss has such.
    pub fn class_weights(&self) -> Option<&ClassWeights> {
        match self {
            Loss::CrossEntropy { class_weights, .. } | Loss::Bce { class_weights, .. } => Some(class_weights),
            _ => None,
        }
    }

    /// What the loss takes the model's outputs for, where it makes a difference.
    pub fn input(&self) -> Option<LossInput> {
        match self {
            Loss::CrossEntropy { input, .. } | Loss::Bce { input, .. } => Some(*input),
            _ => None,
        }
    }

    /// How the losses of a batch become one number.
    pub fn reduction(&self) -> Reduction {
        match self {
            Loss::CrossEntropy { reduction, .. }
            | Loss::Bce { reduction, .. }
            | Loss::Mse { reduction }
            | Loss::Mae { reduction }
            | Loss::SmoothL1 { reduction, .. }
            | Loss::Hinge { reduction } => *reduction,
        }
    }
}

/// What a loss takes the model's outputs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LossInput {
    /// Any numbers: the loss makes probabilities of them itself
    #[default]
    Logits,
    /// Probabilities, as `output = "softmax"` or `"sigmoid"` gives them; they are kept 1e-7 away from where the
    /// logarithm ends
    Probabilities,
}

/// How the losses of a batch become the number that gradients are taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reduction {
    /// Their mean
    #[default]
    Mean,
    /// Their sum: gradients grow with the batch
    Sum,
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
