//! A `sequential` before its first step: how large signals and gradients start, from the layers alone.
//!
//! Mean-field theory of wide random networks (Poole et al. 2016, Schoenholz et al. 2017): a layer turns the mean square
//! q of its inputs into n · σ² · q, an activation f into the mean of f(√q z)² over a normal z, and the
//! squared norm of a gradient is multiplied by n · σ² and by the mean of f′(√q z)² on its way back.

use luthier_plan::Plan;
use luthier_recipe::{Act, Arch, BiasInit, Init, LayerKind, OutputAct, WeightInit};

/// One layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Its place in `model.layers`
    pub index: usize,
    pub kind: LayerKind,
    /// Inputs of one output and outputs of one input, where it has weights
    pub fans: Option<[f64; 2]>,
}

/// The layers of a `sequential` with their widths.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    pub steps: Vec<Step>,
    pub output: OutputAct,
    pub init: Init,
}

/// What the theory says of the untrained network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// Deviation of the last layer's outputs for inputs of deviation 1
    pub signal: f64,
    /// Norm of the gradient at the first layer's outputs over that at the last layer's
    pub gradient: f64,
}

impl Stack {
    /// The stack of a plan; `None` for an architecture that has its own layers.
    pub fn of(plan: &Plan) -> Option<Self> {
        let model = &plan.recipe.model;
        let layers = model.layers.as_ref().filter(|_| model.arch == Arch::Sequential)?;
        let fans = |index: usize| {
            let name = format!("{index}.weight");
            let shape = &plan.model.tensors.iter().find(|tensor| tensor.name == name)?.shape;
            let [outputs, inputs, kernel @ ..] = shape.as_slice() else { return None };
            let area = kernel.iter().product::<i64>() as f64;
            Some([*inputs as f64 * area, *outputs as f64 * area])
        };
        let steps = layers.iter().enumerate().filter_map(|(index, layer)| {
            let kind = layer.kind()?;
            let weighted = matches!(kind, LayerKind::Linear { .. } | LayerKind::Conv { .. });
            Some(Step { index, kind, fans: if weighted { fans(index) } else { None } })
        });
        Some(Stack { steps: steps.collect(), output: model.output, init: model.init.unwrap_or_default() })
    }

    /// Places of the layers with weights, in `steps`.
    pub fn weighted(&self) -> Vec<usize> {
        (0..self.steps.len()).filter(|at| self.steps[*at].is_weighted()).collect()
    }

    /// The hidden activations: those before the last layer with weights.
    pub fn hidden_acts(&self) -> Vec<(usize, Act)> {
        let last = self.weighted().last().copied().unwrap_or(0);
        let acts = self.steps[..last].iter().filter_map(|step| match step.kind {
            LayerKind::Act(act) => Some((step.index, act)),
            _ => None,
        });
        acts.collect()
    }

    /// What is done to the last layer's numbers, by `output` or by a last `act`.
    pub fn last_act(&self) -> Option<Act> {
        let own = match self.steps.last().map(|step| step.kind) {
            Some(LayerKind::Act(act)) if act != Act::Identity => Some(act),
            _ => None,
        };
        self.output.act().or(own)
    }

    /// The recipe key that [`Stack::last_act`] was read from, and what takes it away.
    pub fn last_act_key(&self) -> (String, serde_json::Value) {
        if self.output.is_none() {
            let last = self.steps.last().map_or(0, |step| step.index);
            (format!("model.layers[{last}].act"), "identity".into())
        } else {
            ("model.output".into(), "none".into())
        }
    }

    /// Outputs of the last layer with weights.
    pub fn outputs(&self) -> Option<u64> {
        let last = self.steps.iter().rev().find(|step| step.is_weighted())?;
        match last.kind {
            LayerKind::Linear { .. } => last.fans.map(|[_, outputs]| outputs as u64),
            _ => None,
        }
    }

    /// What the theory says of it; `None` without widths or without a hidden layer.
    pub fn start(&self) -> Option<Start> {
        let weighted = self.weighted();
        let (first, last) = (*weighted.first()?, *weighted.last()?);
        let (mut q, mut back, mut width) = (1.0_f64, 1.0_f64, 1.0_f64);
        for (at, step) in self.steps[..=last].iter().enumerate() {
            let hidden = at > first;
            match step.kind {
                LayerKind::Linear { bias, .. } | LayerKind::Conv { bias, .. } => {
                    let [inputs, outputs] = step.fans?;
                    let gain = inputs * variance(&self.init, [inputs, outputs]);
                    // batch normalisation takes a bias out again
                    let normed =
                        matches!(self.steps.get(at + 1).map(|next| next.kind), Some(LayerKind::BatchNorm));
                    q = gain * q + if bias && !normed { bias_square(&self.init, inputs) } else { 0.0 };
                    back *= if hidden { gain } else { 1.0 };
                    width = outputs;
                }
                LayerKind::Act(Act::Softmax) => {
                    back *= (1.0 / width).powi(2);
                    q = (1.0 / width).powi(2);
                }
                LayerKind::Act(act) => {
                    back *= if hidden { mean(|z| slope(act, q.sqrt() * z).powi(2)) } else { 1.0 };
                    q = mean(|z| value(act, q.sqrt() * z).powi(2));
                }
                LayerKind::BatchNorm | LayerKind::LayerNorm => {
                    back /= if hidden { q.max(1e-5) } else { 1.0 };
                    q = 1.0;
                }
                _ => {}
            }
        }
        Some(Start { signal: q.sqrt(), gradient: back.sqrt() })
    }
}

impl Step {
    fn is_weighted(&self) -> bool {
        matches!(self.kind, LayerKind::Linear { .. } | LayerKind::Conv { .. })
    }
}

/// Variance of the weights of a layer with these fans.
pub(crate) fn variance(init: &Init, [inputs, outputs]: [f64; 2]) -> f64 {
    match init.weights {
        WeightInit::Default => 1.0 / (3.0 * inputs),
        WeightInit::HeNormal | WeightInit::HeUniform => 2.0 / inputs,
        WeightInit::XavierNormal | WeightInit::XavierUniform => 2.0 / (inputs + outputs),
        WeightInit::LecunNormal => 1.0 / inputs,
        WeightInit::Normal => init.std.unwrap_or(0.0).powi(2),
        WeightInit::Uniform => init.value.unwrap_or(0.0).powi(2) / 3.0,
        WeightInit::Constant | WeightInit::Zeros => 0.0,
        WeightInit::Orthogonal => 1.0 / inputs.max(outputs),
    }
}

fn bias_square(init: &Init, inputs: f64) -> f64 {
    match init.bias {
        BiasInit::Number(number) => number.powi(2),
        BiasInit::Word(_) => 1.0 / (3.0 * inputs),
    }
}

/// Mean of a function of a standard normal number, by the trapezoid rule over ±6 deviations.
fn mean(f: impl Fn(f64) -> f64) -> f64 {
    const POINTS: i32 = 240;
    let points = (-POINTS..=POINTS).map(|at| 6.0 * f64::from(at) / f64::from(POINTS));
    let (sum, weight) = points.fold((0.0, 0.0), |(sum, all), z| {
        let weight = (-z * z / 2.0).exp();
        (sum + weight * f(z), all + weight)
    });
    sum / weight
}

fn value(act: Act, x: f64) -> f64 {
    match act {
        Act::Relu => x.max(0.0),
        Act::LeakyRelu => x.max(x / 100.0),
        // the usual approximation by a tanh, which is off by less than 1e-3
        Act::Gelu => 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x.powi(3))).tanh()),
        Act::Tanh => x.tanh(),
        Act::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Act::Elu => {
            if x > 0.0 {
                x
            } else {
                x.exp_m1()
            }
        }
        Act::Softmax | Act::Identity => x,
    }
}

/// Derivative of an activation, as a central difference.
fn slope(act: Act, x: f64) -> f64 {
    const H: f64 = 1e-4;
    (value(act, x + H) - value(act, x - H)) / (2.0 * H)
}
