use luthier_torch::Then;
use tch::Tensor;

use crate::{ModelError, watch};

/// What is done between the two linear layers of an MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// GELU by the error function (Hendrycks and Gimpel 2016)
    Gelu,
    /// GELU by the hyperbolic tangent, GPT-2's: off by up to 0.0005
    GeluTanh,
    /// max(x, 0)
    Relu,
}

impl Activation {
    /// By the name that `transformers` gives it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            _ => None,
        }
    }

    /// The name that `transformers` gives it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_new",
            Self::Relu => "relu",
        }
    }

    /// As a linear layer over packed weights has it, where it has it.
    pub(crate) fn fused(self) -> Option<Then> {
        match self {
            Self::Gelu => Some(Then::Gelu),
            Self::GeluTanh => Some(Then::GeluTanh),
            Self::Relu => None,
        }
    }

    /// Tells whoever watches what was computed elsewhere.
    pub(crate) fn seen(self, y: Tensor) -> Tensor {
        watch::seen(self.name(), y)
    }

    pub(crate) fn forward(self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(self.seen(match self {
            Self::Gelu => x.f_gelu("none")?,
            Self::GeluTanh => x.f_gelu("tanh")?,
            Self::Relu => x.f_relu()?,
        }))
    }
}
