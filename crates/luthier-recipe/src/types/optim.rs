use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How weights are updated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Optim {
    /// The update rule and its numbers
    #[serde(flatten)]
    pub rule: Rule,
    /// Base learning rate
    pub lr: f64,
    /// Strength of weight decay: added to the gradient in SGD, Adam and RMSprop, decoupled in AdamW
    #[serde(default)]
    pub weight_decay: f64,
    /// Parameters that are not decayed: any of `bias`, `norm`
    #[serde(default)]
    pub no_decay: Vec<NoDecay>,
    /// Parameters with their own learning rate or weight decay; the first matching group wins
    #[serde(default)]
    pub groups: Vec<Group>,
}

/// The update rule; names, defaults and arithmetic are `torch.optim`'s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
#[allow(clippy::upper_case_acronyms)]
pub enum Rule {
    /// Stochastic gradient descent
    SGD {
        /// Momentum factor
        #[serde(default)]
        momentum: f64,
        /// Dampening of the momentum
        #[serde(default)]
        dampening: f64,
        /// Nesterov momentum
        #[serde(default)]
        nesterov: bool,
    },
    /// Adam (Kingma & Ba 2015); weight decay is added to the gradient
    Adam {
        /// Decay of the running averages of the gradient and its square
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// Added to the denominator
        #[serde(default = "eps")]
        eps: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019)
    AdamW {
        /// Decay of the running averages of the gradient and its square
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// Added to the denominator
        #[serde(default = "eps")]
        eps: f64,
    },
    /// RMSprop (Hinton 2012)
    RMSprop {
        /// Decay of the running average of the squared gradient
        #[serde(default = "alpha")]
        alpha: f64,
        /// Added to the denominator
        #[serde(default = "eps")]
        eps: f64,
        /// Momentum factor
        #[serde(default)]
        momentum: f64,
        /// Divide by the variance instead of the second moment
        #[serde(default)]
        centered: bool,
    },
}

fn betas() -> [f64; 2] {
    [0.9, 0.999]
}
fn eps() -> f64 {
    1e-8
}
fn alpha() -> f64 {
    0.99
}

/// Parameters that are not decayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoDecay {
    /// Every bias
    Bias,
    /// Scale and shift of normalisation layers
    Norm,
}

/// Parameters with their own learning rate or weight decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Glob pattern of parameter names, such as `fc.*`
    #[serde(rename = "match")]
    pub pattern: String,
    /// Learning rate of the group; or give `lr_scale`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Learning rate of the group as a multiple of the base rate
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr_scale: Option<f64>,
    /// Weight decay of the group; the base value if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}
