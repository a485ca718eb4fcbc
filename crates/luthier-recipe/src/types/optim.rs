use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;

/// How weights are updated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Optim {
    /// The update rule and its numbers
    #[serde(flatten)]
    pub rule: Rule,
    /// Base learning rate
    #[schemars(transform = limits::positive, example = 0.01)]
    pub lr: f64,
    /// Strength of weight decay: added to the gradient in SGD, Adam and RMSprop, decoupled in AdamW, part of what the
    /// trust ratio measures in LAMB and LARS
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub weight_decay: f64,
    /// Parameters that are not decayed: any of `bias`, `norm`
    #[serde(default)]
    #[schemars(example = serde_json::json!(["bias", "norm"]))]
    pub no_decay: Vec<NoDecay>,
    /// Multiply the rate by this once for every part below the head, so that early layers move less; `groups` win
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::inside, example = 0.8)]
    pub layer_decay: Option<f64>,
    /// Parameters with their own learning rate or weight decay; the first matching group wins
    #[serde(default)]
    #[schemars(example = serde_json::json!([{ "match": "fc.*", "lr_scale": 10.0 }]))]
    pub groups: Vec<Group>,
}

impl Optim {
    /// No recipe has a rate of 0: it stands for a table that was not given.
    pub(crate) fn is_absent(&self) -> bool {
        self.lr == 0.0
    }
}

impl Default for Optim {
    /// None.
    fn default() -> Self {
        Optim {
            rule: Rule::SGD { momentum: 0.0, dampening: 0.0, nesterov: false },
            lr: 0.0,
            weight_decay: 0.0,
            no_decay: Vec::new(),
            layer_decay: None,
            groups: Vec::new(),
        }
    }
}

/// The update rule; names, defaults and arithmetic are `torch.optim`'s, of LAMB and LARS their papers'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
#[allow(clippy::upper_case_acronyms)]
pub enum Rule {
    /// Stochastic gradient descent
    SGD {
        /// Momentum factor
        #[serde(default)]
        #[schemars(transform = limits::below_one)]
        momentum: f64,
        /// Dampening of the momentum
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        dampening: f64,
        /// Nesterov momentum
        #[serde(default)]
        nesterov: bool,
    },
    /// Adam (Kingma & Ba 2015); weight decay is added to the gradient
    Adam {
        /// Decay of the running averages of the gradient and its square
        #[serde(default = "betas")]
        #[schemars(transform = limits::each_below_one)]
        betas: [f64; 2],
        /// Added to the denominator
        #[serde(default = "eps")]
        #[schemars(transform = limits::positive)]
        eps: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019)
    AdamW {
        /// Decay of the running averages of the gradient and its square
        #[serde(default = "betas")]
        #[schemars(transform = limits::each_below_one)]
        betas: [f64; 2],
        /// Added to the denominator
        #[serde(default = "eps")]
        #[schemars(transform = limits::positive)]
        eps: f64,
    },
    /// RMSprop (Hinton 2012)
    RMSprop {
        /// Decay of the running average of the squared gradient
        #[serde(default = "alpha")]
        #[schemars(transform = limits::below_one)]
        alpha: f64,
        /// Added to the denominator
        #[serde(default = "eps")]
        #[schemars(transform = limits::positive)]
        eps: f64,
        /// Momentum factor
        #[serde(default)]
        #[schemars(transform = limits::below_one)]
        momentum: f64,
        /// Divide by the variance instead of the second moment
        #[serde(default)]
        centered: bool,
    },
    /// LAMB (You et al. 2020): Adam's step of every tensor, made as long as a share of the tensor
    LAMB {
        /// Decay of the running averages of the gradient and its square
        #[serde(default = "betas")]
        #[schemars(transform = limits::each_below_one)]
        betas: [f64; 2],
        /// Added to the denominator
        #[serde(default = "lamb_eps")]
        #[schemars(transform = limits::positive)]
        eps: f64,
        /// Parameters without trust ratio and decay: any of `bias`, `norm`
        #[serde(default = "bias_and_norm")]
        #[schemars(example = serde_json::json!([]))]
        exclude: Vec<NoDecay>,
    },
    /// LARS (You et al. 2017): SGD with a rate for every tensor, from the sizes of its values and its gradient
    LARS {
        /// Momentum factor
        #[serde(default = "lars_momentum")]
        #[schemars(transform = limits::below_one)]
        momentum: f64,
        /// Share of a tensor's norm that one update at rate 1 changes
        #[serde(default = "trust_coefficient")]
        #[schemars(transform = limits::positive)]
        trust_coefficient: f64,
        /// Parameters without trust ratio and decay: any of `bias`, `norm`
        #[serde(default = "bias_and_norm")]
        #[schemars(example = serde_json::json!([]))]
        exclude: Vec<NoDecay>,
    },
}

impl Rule {
    /// The parameters that have neither trust ratio nor decay; `None` where the rule knows no trust ratio.
    pub fn exclude(&self) -> Option<&[NoDecay]> {
        match self {
            Rule::LAMB { exclude, .. } | Rule::LARS { exclude, .. } => Some(exclude),
            Rule::SGD { .. } | Rule::Adam { .. } | Rule::AdamW { .. } | Rule::RMSprop { .. } => None,
        }
    }
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
fn lamb_eps() -> f64 {
    1e-6
}
fn lars_momentum() -> f64 {
    0.9
}
fn trust_coefficient() -> f64 {
    0.001
}
fn bias_and_norm() -> Vec<NoDecay> {
    vec![NoDecay::Bias, NoDecay::Norm]
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
    #[schemars(length(min = 1), example = &"fc.*")]
    pub pattern: String,
    /// Learning rate of the group; or give `lr_scale`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::positive, example = 0.1)]
    pub lr: Option<f64>,
    /// Learning rate of the group as a multiple of the base rate
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::positive, example = 10.0)]
    pub lr_scale: Option<f64>,
    /// Weight decay of the group; the base value if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0), example = 0.0)]
    pub weight_decay: Option<f64>,
}
