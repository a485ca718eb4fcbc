//! How the weights of a layer start.

use luthier_recipe::{BiasInit, Init as Asked, WeightInit};

use crate::Init;

/// Inputs of one output, and outputs of one input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fans {
    pub fan_in: i64,
    pub fan_out: i64,
}

/// Of weights.
pub(super) fn weights(asked: &Asked, fans: Fans) -> Init {
    #[expect(clippy::cast_precision_loss, reason = "fans are far below 2^53")]
    let (fan_in, fan_out) = (fans.fan_in.max(1) as f64, fans.fan_out.max(1) as f64);
    // a uniform distribution in ±b has the variance b² / 3
    let uniform = |variance: f64| Init::Uniform((3.0 * variance).sqrt());
    let normal = |variance: f64| Init::Normal(variance.sqrt());
    match asked.weights {
        WeightInit::Default => default(fan_in),
        WeightInit::HeNormal => normal(2.0 / fan_in),
        WeightInit::HeUniform => uniform(2.0 / fan_in),
        WeightInit::XavierNormal => normal(2.0 / (fan_in + fan_out)),
        WeightInit::XavierUniform => uniform(2.0 / (fan_in + fan_out)),
        WeightInit::LecunNormal => normal(1.0 / fan_in),
        WeightInit::Normal => Init::Normal(asked.std.unwrap_or(0.01)),
        WeightInit::Uniform => Init::Uniform(asked.value.unwrap_or(0.01).abs()),
        WeightInit::Constant => Init::Constant(asked.value.unwrap_or(0.0)),
        WeightInit::Zeros => Init::Constant(0.0),
        WeightInit::Orthogonal => Init::Orthogonal,
    }
}

/// Of biases.
pub(super) fn biases(asked: &Asked, fans: Fans) -> Init {
    match asked.bias {
        BiasInit::Number(number) => Init::Constant(number),
        #[expect(clippy::cast_precision_loss, reason = "fans are far below 2^53")]
        BiasInit::Word(_) => default(fans.fan_in.max(1) as f64),
    }
}

/// PyTorch's of linear layers and convolutions: `kaiming_uniform` with a = √5 is ±√(6 / ((1 + 5) · fan-in)).
fn default(fan_in: f64) -> Init {
    Init::Uniform(1.0 / fan_in.sqrt())
}
