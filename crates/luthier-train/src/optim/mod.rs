//! Update rules with `torch.optim`'s names, defaults and arithmetic (LAMB's and LARS's are their papers'), as fused kernels over lists of parameters. The
//! parameters of a group and each kind of state lie in one flat buffer.

mod look;
mod opened;
mod rmsprop;

pub use opened::{Memorised, Remembered};

use luthier_plan::groups::has_trust_ratio;
use luthier_plan::{GroupPlan, TensorPlan};
use luthier_recipe::Rule;
use luthier_torch::{
    AdamStep, FlatBuffer, LambStep, LarsStep, MemoryFormat, SgdStep, fused_adam, fused_lamb, fused_lars,
    fused_sgd, norm, scale,
};
use tch::{Kind, Tensor};

use crate::TrainError;

/// One group of parameters on a flat buffer, and what the update rule remembers of it.
struct Group {
    flat: FlatBuffer,
    /// Names of the parameters, in the buffer's order
    names: Vec<String>,
    lr: f64,
    weight_decay: f64,
    /// What it remembers: `momentum_buffer`, `exp_avg`, …
    state: Vec<Memory>,
    /// Which parameters have a trust ratio
    adapt: Vec<bool>,
    /// Ratios of the last update, of the parameters that moved
    trust: Option<Tensor>,
}

/// One kind of optimizer state, laid out as the parameters.
struct Memory {
    name: &'static str,
    flat: Tensor,
    /// Its part of each parameter
    views: Vec<Tensor>,
}

impl Memory {
    fn new(name: &'static str, like: &FlatBuffer) -> Result<Memory, TrainError> {
        let flat = like.data().f_zeros_like()?;
        let views = like.views(&flat)?;
        Ok(Memory { name, flat, views })
    }
}

/// What an update works on: parameters that have a gradient, as lists of one length.
struct Moving {
    /// Their places in the group
    places: Vec<usize>,
    values: Vec<Tensor>,
    grads: Vec<Tensor>,
    /// One list per kind of state
    state: Vec<Vec<Tensor>>,
}

impl Group {
    /// As in `torch.optim`, a parameter that the loss did not depend on is left out.
    fn moving(&self) -> Result<Moving, TrainError> {
        let state = self.state.iter().map(|_| Vec::new()).collect();
        let mut moving = Moving { places: Vec::new(), values: Vec::new(), grads: Vec::new(), state };
        for (at, (value, grad)) in self.flat.params().iter().zip(self.flat.grads()?).enumerate() {
            let Some(grad) = grad else { continue };
            moving.places.push(at);
            moving.values.push(value.shallow_clone());
            moving.grads.push(grad);
            for (list, memory) in moving.state.iter_mut().zip(&self.state) {
                list.extend(memory.views.get(at).map(Tensor::shallow_clone));
            }
        }
        Ok(moving)
    }
}

/// An update rule and the groups it moves. Names, defaults and arithmetic are `torch.optim`'s.
pub struct Optimizer {
    rule: Rule,
    /// Groups with parameters that move, in the plan's order
    groups: Vec<Group>,
    /// Base rates of all the plan's groups
    rates: Vec<f64>,
    /// Updates done
    steps: u64,
}

impl Optimizer {
    /// Moves the trainable parameters of a plan onto flat buffers, one per group. `tensors` are the model's, in the
    /// order of `plans`; those whose indices are `resting` stay where they are, and so do all of them `beside` another
    /// optimizer that has moved them.
    pub fn new(
        rule: &Rule,
        groups: &[GroupPlan],
        plans: &[TensorPlan],
        resting: &[usize],
        tensors: &[Tensor],
        format: MemoryFormat,
        beside: bool,
    ) -> Result<Self, TrainError> {
        let mut made = Vec::with_capacity(groups.len());
        for (index, group) in groups.iter().enumerate() {
            let mine = plans.iter().zip(tensors).enumerate();
            let mine = mine.filter(|(at, (plan, _))| plan.group == Some(index) && !resting.contains(at));
            let (names, (members, adapt)): (Vec<String>, (Vec<Tensor>, Vec<bool>)) = mine
                .map(|(_, (plan, tensor))| {
                    (plan.name.clone(), (tensor.shallow_clone(), has_trust_ratio(rule, plan.role)))
                })
                .unzip();
            if members.is_empty() {
                continue;
            }
            let flat = if beside {
                FlatBuffer::beside(&members, format)?
            } else {
                FlatBuffer::new(&members, format)?
            };
            let state = state_names(rule)
                .iter()
                .map(|name| Memory::new(name, &flat))
                .collect::<Result<_, TrainError>>()?;
            let (lr, weight_decay) = (group.lr, group.weight_decay);
            made.push(Group { flat, names, lr, weight_decay, state, adapt, trust: None });
        }
        let rates = groups.iter().map(|group| group.lr).collect();
        Ok(Optimizer { rule: rule.clone(), groups: made, rates, steps: 0 })
    }

    /// Drops all gradients.
    pub fn clear_grads(&self) -> Result<(), TrainError> {
        Ok(self.groups.iter().try_for_each(|group| group.flat.clear_grads())?)
    }

    /// All gradients that there are.
    fn grads(&self) -> Result<Vec<Tensor>, TrainError> {
        let mut all = Vec::new();
        for group in &self.groups {
            all.extend(group.flat.grads()?.into_iter().flatten());
        }
        Ok(all)
    }

    /// Global L2 norm of all gradients.
    pub fn grad_norm(&self) -> Result<f64, TrainError> {
        Ok(norm(&self.grads()?)?)
    }

    /// Scales all gradients by one factor so that a global norm of `norm` becomes at most `max`, as
    /// `torch.nn.utils.clip_grad_norm_`. Says whether it did.
    pub fn clip(&self, norm: f64, max: f64) -> Result<bool, TrainError> {
        let factor = max / (norm + 1e-6);
        if factor >= 1.0 {
            return Ok(false);
        }
        scale(&self.grads()?, factor)?;
        Ok(true)
    }

    /// Multiplies all gradients by a factor: that of a loss scale, taken out.
    pub(crate) fn unscale(&self, factor: f64) -> Result<(), TrainError> {
        if factor == 1.0 { Ok(()) } else { Ok(scale(&self.grads()?, factor)?) }
    }

    /// The parameters that it moves, by name.
    pub(crate) fn params(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.groups.iter().flat_map(|group| group.names.iter().map(String::as_str).zip(group.flat.params()))
    }

    /// Learning rates at `factor`, one per group of the plan.
    pub fn rates(&self, factor: f64) -> Vec<f64> {
        self.rates.iter().map(|lr| lr * factor).collect()
    }

    /// One update at the groups' rates times `factor`. The gradients are used up: weight decay may be added to them.
    pub fn step(&mut self, factor: f64) -> Result<(), TrainError> {
        let _quiet = tch::no_grad_guard();
        let first = self.steps == 0;
        self.steps += 1;
        for group in &mut self.groups {
            let Moving { places, values, grads, state } = group.moving()?;
            let adapt = || places.iter().map(|at| group.adapt[*at]).collect::<Vec<_>>();
            let (lr, weight_decay) = (group.lr * factor, group.weight_decay);
            match &self.rule {
                Rule::SGD { momentum, dampening, nesterov } => {
                    let (momentum, dampening, nesterov) = (*momentum, *dampening, *nesterov);
                    let step = SgdStep { lr, momentum, dampening, nesterov, weight_decay, first };
                    fused_sgd(&values, &grads, state.first().map(Vec::as_slice), step)?;
                }
                Rule::Adam { betas, eps } | Rule::AdamW { betas, eps } => {
                    let decoupled = matches!(self.rule, Rule::AdamW { .. });
                    let step =
                        AdamStep { step: self.steps, lr, betas: *betas, eps: *eps, weight_decay, decoupled };
                    fused_adam(&values, &grads, &state[0], &state[1], step)?;
                }
                Rule::LAMB { betas, eps, .. } => {
                    let step = LambStep { step: self.steps, lr, betas: *betas, eps: *eps, weight_decay };
                    group.trust = Some(fused_lamb(&values, &grads, &state[0], &state[1], &adapt(), step)?);
                }
                Rule::LARS { momentum, trust_coefficient, .. } => {
                    let (momentum, trust_coefficient) = (*momentum, *trust_coefficient);
                    let step = LarsStep { lr, momentum, weight_decay, trust_coefficient };
                    let buffers = state.first().map(Vec::as_slice);
                    group.trust = Some(fused_lars(&values, &grads, buffers, &adapt(), step)?);
                }
                Rule::RMSprop { alpha, eps, momentum, centered } => {
                    let numbers = rmsprop::Numbers {
                        lr,
                        weight_decay,
                        alpha: *alpha,
                        eps: *eps,
                        momentum: *momentum,
                        centered: *centered,
                    };
                    let names = state_names(&self.rule);
                    for (at, (value, grad)) in values.iter().zip(&grads).enumerate() {
                        let views = state.iter().filter_map(|list| list.get(at).map(Tensor::shallow_clone));
                        let state: Vec<_> = names.iter().copied().zip(views).collect();
                        rmsprop::step(value, grad, &state, numbers)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Flat values of every group, in order: what an average of the weights is taken over.
    pub fn values(&self) -> Vec<&Tensor> {
        self.groups.iter().map(|group| group.flat.data()).collect()
    }

    /// Copies of the gradients of every group, laid out as [`Optimizer::values`]; zeros where there is none.
    pub fn gradients(&self) -> Result<Vec<Tensor>, TrainError> {
        let copy = |group: &Group| {
            let flat = group.flat.data().f_zeros_like()?;
            for (mut view, grad) in group.flat.views(&flat)?.into_iter().zip(group.flat.grads()?) {
                if let Some(grad) = grad {
                    view.f_copy_(&grad)?;
                }
            }
            Ok(flat)
        };
        self.groups.iter().map(copy).collect()
    }

    /// Views of `flat`, a tensor laid out as group `group`'s values, by parameter name.
    pub(crate) fn named<'a>(
        &'a self,
        group: usize,
        flat: &Tensor,
    ) -> Result<Vec<(&'a str, Tensor)>, TrainError> {
        let group = &self.groups[group];
        Ok(group.names.iter().map(String::as_str).zip(group.flat.views(flat)?).collect())
    }

    /// What a checkpoint keeps: `PARAMETER.STATE`, as `layer1.0.conv1.weight.exp_avg`, each of the parameter's shape.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        let mut all = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            for Memory { name: state, flat, .. } in &group.state {
                let named = self.named(index, flat)?;
                all.extend(named.into_iter().map(|(name, view)| (format!("{name}.{state}"), view)));
            }
        }
        Ok(all)
    }

    /// Takes back what [`Optimizer::state`] gave, after `steps` updates.
    pub fn restore(
        &mut self,
        steps: u64,
        find: impl Fn(&str) -> Result<Tensor, TrainError>,
    ) -> Result<(), TrainError> {
        self.steps = steps;
        for (name, mut view) in self.state()? {
            view.f_copy_(&find(&name)?)?;
        }
        Ok(())
    }
}

/// Whether every element is finite.
pub(crate) fn all_finite(tensor: &Tensor) -> Result<bool, TrainError> {
    Ok(tensor.f_isfinite()?.f_all()?.f_to_kind(Kind::Int64)?.f_int64_value(&[])? == 1)
}

fn state_names(rule: &Rule) -> &'static [&'static str] {
    match rule {
        Rule::SGD { momentum, .. } | Rule::LARS { momentum, .. } if *momentum == 0.0 => &[],
        Rule::SGD { .. } | Rule::LARS { .. } => &["momentum_buffer"],
        Rule::Adam { .. } | Rule::AdamW { .. } | Rule::LAMB { .. } => &["exp_avg", "exp_avg_sq"],
        Rule::RMSprop { momentum, centered, .. } => match (*momentum > 0.0, *centered) {
            (false, false) => &["square_avg"],
            (true, false) => &["square_avg", "momentum_buffer"],
            (false, true) => &["square_avg", "grad_avg"],
            (true, true) => &["square_avg", "grad_avg", "momentum_buffer"],
        },
    }
}
