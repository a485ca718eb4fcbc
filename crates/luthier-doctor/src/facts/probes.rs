//! What probes measured on the live model, before the run and without changing it.
//!
//! A probe that could not run leaves its place empty and says why in `skipped`. All numbers come from batches of the
//! recipe's own size unless said otherwise, in the recipe's precision unless said otherwise. JSON has no number that is not
//! finite: `f64::MAX` stands for it.

use serde::{Deserialize, Serialize};

use super::{OutputPoint, TensorPoint};

/// What was measured on the live model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeFacts {
    /// Numbers that go into the network
    pub inputs: Option<InputFacts>,
    /// Labels or targets
    pub targets: Option<TargetFacts>,
    /// The untrained model on its first batches
    pub start: Option<StartFacts>,
    /// The first updates, from the recipe's own optimizer and rate
    pub steps: Vec<StepFacts>,
    /// Trained tensors that did not move in those updates, although the rate was not zero
    pub stuck: Vec<String>,
    /// Frozen tensors that moved
    pub drifted: Vec<String>,
    /// The same, for buffers of frozen parts, such as BatchNorm's running mean
    pub drifted_buffers: Vec<String>,
    /// A step of vanishing size along the gradient
    pub sign: Option<SignFacts>,
    /// Loss and gradient at two batch sizes
    pub reduction: Option<ReductionFacts>,
    /// Largest curvature along the gradient's power iteration: λ of the loss at the start; lr·λ > 2 diverges for SGD
    pub curvature: Option<f64>,
    /// Training on one batch until it is known by heart
    pub overfit: Option<FitFacts>,
    /// Where the recipe's own optimizer did not get there and `overfit` is the second opinion: its own fit
    pub overfit_own: Option<FitFacts>,
    /// The run's own beginning, and the same at a tenth of its rates
    pub rehearsal: Option<RehearsalFacts>,
    /// Rows only: do samples and labels depend on one another at all, whatever the model
    #[serde(default)]
    pub relation: Option<RelationFacts>,
    /// The same short fit on a sample, with true and with permuted labels
    pub permuted: Option<PermutedFacts>,
    /// Does the model use its input
    pub zeroed: Option<ZeroedFacts>,
    /// Largest change of a row's output when all other rows change, in evaluation mode, relative to the output's std
    pub rows: Option<f64>,
    /// Texts only: largest relative change of outputs at earlier positions when a later token changes; for a causal
    /// model it must be 0
    pub future: Option<f64>,
    /// Texts only: largest relative change of the pooled output when padding is added
    pub padding: Option<f64>,
    /// Texts only: relative change of the pooled output when the tokens are shuffled; 0 = positions are not seen
    pub positions: Option<f64>,
    /// The same batch evaluated twice
    pub repeat: Option<RepeatFacts>,
    /// Two views of the same training sample: mean absolute difference; 0 without random augmentation
    pub views: Option<f64>,
    /// Mean and std of an evaluation batch beside those of a training batch
    pub eval_inputs: Option<InputFacts>,
    /// Probes that could not run, and why
    pub skipped: Vec<(String, String)>,
    /// Wall time of each probe
    pub seconds: Vec<(String, f64)>,
    /// The same of the streams beside the first, by name
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<(String, ProbeFacts)>,
}

/// Numbers that go into the network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InputFacts {
    /// Numbers looked at
    pub count: u64,
    /// Smallest
    pub min: f64,
    /// Largest
    pub max: f64,
    /// Mean of each channel or feature
    pub mean: Vec<f64>,
    /// Standard deviation of each channel or feature
    pub std: Vec<f64>,
    /// Samples with a number that is not finite, as places (`table.csv:31`), the first ten
    pub bad: Vec<String>,
}

/// Labels or targets of the training split.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// Classification: samples of each class
    pub counts: Vec<u64>,
    /// Regression: per target (smallest, largest, mean, std), as the loss sees them
    pub ranges: Vec<[f64; 4]>,
}

/// The untrained model on its first batches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StartFacts {
    /// Loss in training mode, as the recipe defines it
    pub loss: f64,
    /// Loss in evaluation mode on the same samples
    pub eval_loss: f64,
    /// What a model that knows nothing has: ln C for cross-entropy, ln 2 for bce, the mean squared target about its
    /// mean for mse; `None` where there is no theory
    pub expected: Option<f64>,
    /// Standard deviation of the outputs that go into the loss, over the batch, mean over the outputs
    pub output_std: f64,
    /// Largest absolute output
    pub output_max: f64,
    /// Smallest output, and largest
    pub output_range: [f64; 2],
    /// Largest deviation of a row's sum from 1; about 0 where the outputs are probabilities
    pub row_sum_error: f64,
    /// What comes out of every part and activation
    pub outputs: Vec<OutputPoint>,
    /// Norm of the gradient of every trained tensor, in the plan's order, in fp32
    pub gradients: Vec<TensorPoint>,
    /// Largest cosine between the weights of two units of one layer, by layer: 1 = they are the same unit
    pub twins: Vec<(String, f64)>,
}

/// One of the first updates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepFacts {
    /// Loss before it
    pub loss: f64,
    /// Learning rates, by group
    pub lr: Vec<f64>,
    /// Norm of the whole gradient before clipping
    pub grad_norm: f64,
    /// The gradient was scaled down
    pub clipped: bool,
    /// ‖Δw‖/‖w‖ over all trained weights with more than one dimension
    pub ratio: f64,
    /// Every trained tensor
    pub tensors: Vec<TensorPoint>,
    /// Share of dead units after it, over all ReLUs
    pub dead: f64,
}

/// A step of vanishing size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SignFacts {
    /// Loss before
    pub before: f64,
    /// Loss after a step against the gradient
    pub after: f64,
    /// What the first-order theory says of the difference
    pub expected: f64,
}

/// Loss and gradient at two batch sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ReductionFacts {
    /// Samples in the small batch and in the large one, which holds the small one several times
    pub sizes: [u64; 2],
    /// Loss of each, as it is minimised
    pub losses: [f64; 2],
    /// Gradient norm of each
    pub grads: [f64; 2],
}

/// A short fit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FitFacts {
    /// Loss before each update and after the last
    pub losses: Vec<f64>,
    /// Share of right answers at the end, in evaluation mode (R² for regression)
    pub score: f64,
    /// Samples
    pub samples: u64,
    /// It was fitted with the recipe's own optimizer and rate; otherwise with Adam 1e-3
    pub own: bool,
}

/// The run's beginning, played again: the same batches, at the planned rates and at a tenth of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RehearsalFacts {
    /// Loss before each update at the planned rates; `f64::MAX` last where it diverged
    pub own: Vec<f64>,
    /// The same at a tenth of the rates
    pub tenth: Vec<f64>,
    /// The same at ten times the rates; played only where the loss did not fall
    #[serde(default)]
    pub tenfold: Vec<f64>,
    /// Share of the run's updates that were played
    pub share: f64,
}

/// How much samples that are near one another have labels that are, without any model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RelationFacts {
    /// Training rows that were compared
    pub samples: u64,
    /// Distance correlation of features and labels: 1 where one follows from the other in a straight line
    pub correlation: f64,
    /// Share of ways to deal the labels out anew that give as much: small = there is a relation
    pub chance: f64,
}

/// The same short fit with true and with permuted labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PermutedFacts {
    /// Held-out score with true labels, mean over the seeds
    pub truth: f64,
    /// With permuted labels
    pub permuted: f64,
    /// Standard error of the difference
    pub noise: f64,
    /// What guessing the most frequent class (or the mean) scores
    pub chance: f64,
}

/// Does the model use its input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ZeroedFacts {
    /// Loss after a short fit
    pub real: f64,
    /// Loss of the same model with all inputs zero
    pub zeroed: f64,
}

/// The same batch evaluated twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RepeatFacts {
    /// The two losses in evaluation mode
    pub losses: [f64; 2],
    /// The two losses in training mode
    pub training: [f64; 2],
}
