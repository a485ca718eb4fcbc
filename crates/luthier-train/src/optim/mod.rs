//! Optimizers over flat buffers: an update, a clip and a norm are each a few vector operations, whatever the number of
//! parameters.

mod look;
mod rmsprop;

use luthier_plan::{GroupPlan, TensorPlan};
use luthier_recipe::Rule;
use luthier_torch::{AdamStep, FlatBuffer, MemoryFormat, SgdStep, fused_adam, fused_sgd};
use tch::{Kind, Tensor};

use crate::TrainError;

/// One group of parameters on a flat buffer, and what the update rule remembers of it.
struct Group {
    flat: FlatBuffer,
    /// Names of the parameters, in the buffer's order
    names: Vec<String>,
    lr: f64,
    weight_decay: f64,
    /// Named flat tensors, laid out as the parameters: `momentum_buffer`, `exp_avg`, …
    state: Vec<(&'static str, Tensor)>,
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
    /// order of `plans`; those whose indices are `resting` stay where they are.
    pub fn new(
        rule: &Rule,
        groups: &[GroupPlan],
        plans: &[TensorPlan],
        resting: &[usize],
        tensors: &[Tensor],
        format: MemoryFormat,
    ) -> Result<Self, TrainError> {
        let mut made = Vec::with_capacity(groups.len());
        for (index, group) in groups.iter().enumerate() {
            let (names, members): (Vec<String>, Vec<Tensor>) = plans
                .iter()
                .zip(tensors)
                .enumerate()
                .filter(|(at, (plan, _))| plan.group == Some(index) && !resting.contains(at))
                .map(|(_, (plan, tensor))| (plan.name.clone(), tensor.shallow_clone()))
                .unzip();
            if members.is_empty() {
                continue;
            }
            let flat = FlatBuffer::new(&members, format)?;
            let state = state_names(rule)
                .iter()
                .map(|name| Ok((*name, flat.data().f_zeros_like()?)))
                .collect::<Result<_, TrainError>>()?;
            made.push(Group { flat, names, lr: group.lr, weight_decay: group.weight_decay, state });
        }
        let rates = groups.iter().map(|group| group.lr).collect();
        Ok(Optimizer { rule: rule.clone(), groups: made, rates, steps: 0 })
    }

    /// Sets all gradients to zero.
    pub fn zero_grad(&self) -> Result<(), TrainError> {
        for group in &self.groups {
            group.flat.zero_grad()?;
        }
        Ok(())
    }

    /// Global L2 norm of all gradients.
    pub fn grad_norm(&self) -> Result<f64, TrainError> {
        let mut square = 0.0;
        for group in &self.groups {
            square += group.flat.grad().f_norm()?.f_double_value(&[])?.powi(2);
        }
        Ok(square.sqrt())
    }

    /// Scales all gradients by one factor so that a global norm of `norm` becomes at most `max`, as
    /// `torch.nn.utils.clip_grad_norm_`. Says whether it did.
    pub fn clip(&self, norm: f64, max: f64) -> Result<bool, TrainError> {
        let factor = max / (norm + 1e-6);
        if factor >= 1.0 {
            return Ok(false);
        }
        for group in &self.groups {
            let _ = group.flat.grad().shallow_clone().f_mul_scalar_(factor)?;
        }
        Ok(true)
    }

    /// Learning rates at `factor`, one per group of the plan.
    pub fn rates(&self, factor: f64) -> Vec<f64> {
        self.rates.iter().map(|lr| lr * factor).collect()
    }

    /// One update at the groups' rates times `factor`. The gradients are used up: weight decay may be added to them.
    pub fn step(&mut self, factor: f64) -> Result<(), TrainError> {
        let first = self.steps == 0;
        self.steps += 1;
        for group in &self.groups {
            let (values, grads, lr) = (group.flat.data(), group.flat.grad(), group.lr * factor);
            let weight_decay = group.weight_decay;
            match &self.rule {
                Rule::SGD { momentum, dampening, nesterov } => {
                    let (momentum, dampening, nesterov) = (*momentum, *dampening, *nesterov);
                    let buffer = group.state.first().map(|(_, tensor)| tensor);
                    fused_sgd(
                        values,
                        grads,
                        buffer,
                        SgdStep { lr, momentum, dampening, nesterov, weight_decay, first },
                    )?;
                }
                Rule::Adam { betas, eps } | Rule::AdamW { betas, eps } => {
                    let decoupled = matches!(self.rule, Rule::AdamW { .. });
                    let step =
                        AdamStep { step: self.steps, lr, betas: *betas, eps: *eps, weight_decay, decoupled };
                    fused_adam(values, grads, &group.state[0].1, &group.state[1].1, step)?;
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
                    rmsprop::step(values, grads, &group.state, numbers)?;
                }
            }
        }
        Ok(())
    }

    /// Flat values of every group, in order: what an average of the weights is taken over.
    pub fn values(&self) -> Vec<&Tensor> {
        self.groups.iter().map(|group| group.flat.data()).collect()
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
            for (state, flat) in &group.state {
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
        Rule::SGD { momentum, .. } if *momentum == 0.0 => &[],
        Rule::SGD { .. } => &["momentum_buffer"],
        Rule::Adam { .. } | Rule::AdamW { .. } => &["exp_avg", "exp_avg_sq"],
        Rule::RMSprop { momentum, centered, .. } => match (*momentum > 0.0, *centered) {
            (false, false) => &["square_avg"],
            (true, false) => &["square_avg", "momentum_buffer"],
            (false, true) => &["square_avg", "grad_avg"],
            (true, true) => &["square_avg", "grad_avg", "momentum_buffer"],
        },
    }
}
