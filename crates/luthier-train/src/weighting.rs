//! Weights of several tasks that are learned: uncertainty weighting and GradNorm.
//!
//! Both have gradients in closed form, of numbers that an update has anyway: so the weights are plain numbers to the
//! backward pass, and are the same on every rank without being exchanged.

use luthier_plan::{Plan, Role, TensorPlan, WeightingPlan};
use luthier_recipe::{Rule, TaskWeighting};
use luthier_torch::{MemoryFormat, set_grad};
use tch::{Device, Kind, Tensor};

use crate::{Optimizer, TrainError};

/// What a checkpoint calls the learned numbers; what their optimizer remembers is called after them.
const NAME: &str = "task_weighting.values";
/// What a checkpoint calls the losses of the first update.
const FIRST: &str = "task_weighting.first_losses";

/// A weight of GradNorm stays above this share of the mean: a negative one would reward wrong answers.
const LEAST: f64 = 1e-3;

/// Learned weights of several tasks.
pub struct Weighting {
    way: Way,
    plan: WeightingPlan,
    rule: Rule,
    /// Log-variances, or weights: fp32 `[tasks]`, on the optimizer's buffer
    values: Tensor,
    optimizer: Optimizer,
    /// What the losses of the next update are multiplied by
    weights: Vec<f64>,
}

enum Way {
    Uncertainty,
    GradNorm {
        alpha: f64,
        /// What the weights add up to
        sum: f64,
        /// Losses of the first update; 0 before it: fp32 `[tasks]`
        first: Tensor,
    },
}

impl Weighting {
    /// Weights as they are before the first update; `None` where they are not learned.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn new(plan: &Plan) -> Result<Option<Self>, TrainError> {
        let Some(planned) = &plan.weighting else { return Ok(None) };
        let start: Vec<f64> = plan.data.tasks.iter().map(|task| task.weight).collect();
        let (way, rule, values) = match plan.recipe.train.task_weighting {
            TaskWeighting::GradNorm { alpha, .. } => {
                let first = Tensor::f_zeros([start.len() as i64], (Kind::Float, Device::Cpu))?;
                let rule = Rule::Adam { betas: [0.9, 0.999], eps: 1e-8 };
                (Way::GradNorm { alpha, sum: start.iter().sum(), first }, rule, start)
            }
            _ => {
                let logs = start.iter().map(|weight| -weight.ln()).collect();
                (Way::Uncertainty, plan.recipe.optim.rule.clone(), logs)
            }
        };
        let values = Tensor::f_from_slice(&values)?.f_to_kind(Kind::Float)?.f_set_requires_grad(true)?;
        let optimizer = optimizer(planned, &rule, &values)?;
        let mut new = Weighting { way, plan: planned.clone(), rule, values, optimizer, weights: Vec::new() };
        new.settle()?;
        Ok(Some(new))
    }

    /// What the losses of the next update are multiplied by.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Moves the weights after an update with these mean `losses` of the tasks and, for GradNorm, these `norms` of their
    /// gradients. `factor` is the schedule's.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn update(&mut self, losses: &[f64], norms: &[f64], factor: f64) -> Result<(), TrainError> {
        let gradient = match &mut self.way {
            Way::Uncertainty => {
                let one = |(weight, loss): (&f64, &f64)| 0.5 - weight * loss;
                self.weights.iter().zip(losses).map(one).collect()
            }
            Way::GradNorm { alpha, first, .. } => {
                // without gradients to compare, as where the shared layer rests, nothing moves
                if norms.len() != losses.len() || norms.iter().all(|norm| *norm == 0.0) {
                    return Ok(());
                }
                if first.f_abs()?.f_sum(Kind::Float)?.f_double_value(&[])? == 0.0 {
                    *first = Tensor::f_from_slice(losses)?.f_to_kind(Kind::Float)?;
                }
                pull(&self.weights, losses, &numbers(first)?, norms, *alpha)
            }
        };
        set_grad(&self.values, &Tensor::f_from_slice(&gradient)?.f_to_kind(Kind::Float)?)?;
        let factor = if matches!(self.way, Way::Uncertainty) { factor } else { 1.0 };
        self.optimizer.step(factor)?;
        self.optimizer.clear_grads()?;
        if let Way::GradNorm { sum, .. } = &self.way {
            let _quiet = tch::no_grad_guard();
            let mean = sum / losses.len() as f64;
            let kept: Vec<f64> = numbers(&self.values)?.into_iter().map(|w| w.max(LEAST * mean)).collect();
            let all: f64 = kept.iter().sum();
            let even: Vec<f64> = kept.iter().map(|weight| weight * sum / all).collect();
            self.values.f_copy_(&Tensor::f_from_slice(&even)?.f_to_kind(Kind::Float)?)?;
        }
        self.settle()
    }

    /// Begins anew with an optimizer that remembers nothing; the weights stay.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub(crate) fn forget(&mut self) -> Result<(), TrainError> {
        let values = self.values.f_detach_copy()?.f_set_requires_grad(true)?;
        self.optimizer = optimizer(&self.plan, &self.rule, &values)?;
        self.values = values;
        Ok(())
    }

    /// What a checkpoint keeps.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        let mut all = self.optimizer.state()?;
        all.push((NAME.to_owned(), self.values.f_detach()?));
        if let Way::GradNorm { first, .. } = &self.way {
            all.push((FIRST.to_owned(), first.shallow_clone()));
        }
        Ok(all)
    }

    /// Takes back what [`Weighting::state`] gave; the optimizer has made so many `steps` since it was new.
    ///
    /// # Errors
    /// The checkpoint lacks something.
    pub fn restore(
        &mut self,
        steps: u64,
        find: impl Fn(&str) -> Result<Tensor, TrainError>,
    ) -> Result<(), TrainError> {
        let _quiet = tch::no_grad_guard();
        self.values.f_copy_(&find(NAME)?)?;
        if let Way::GradNorm { first, .. } = &mut self.way {
            first.f_copy_(&find(FIRST)?)?;
        }
        if steps > 0 {
            self.optimizer.restore(steps, find)?;
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<(), TrainError> {
        self.weights = numbers(&self.values)?;
        if matches!(self.way, Way::Uncertainty) {
            self.weights.iter_mut().for_each(|log| *log = (-*log).exp());
        }
        Ok(())
    }
}

/// Gradient of GradNorm's loss, Σ |w g − mean(w g) · r^alpha|, by the weights w; the second half of each term is held
/// constant, as the paper has it. g are norms of the unweighted losses' gradients, r the losses' shares of their first
/// values over the mean share.
fn pull(weights: &[f64], losses: &[f64], first: &[f64], norms: &[f64], alpha: f64) -> Vec<f64> {
    let count = losses.len() as f64;
    let shares: Vec<f64> = losses.iter().zip(first).map(|(loss, first)| loss / first.max(1e-12)).collect();
    let share = shares.iter().sum::<f64>() / count;
    let mean = weights.iter().zip(norms).map(|(weight, norm)| weight * norm).sum::<f64>() / count;
    let one = |((weight, norm), own): ((&f64, &f64), &f64)| {
        let above = weight * norm - mean * (own / share.max(1e-12)).powf(alpha);
        // a distance of 0 has no slope
        if above == 0.0 { 0.0 } else { above.signum() * norm }
    };
    weights.iter().zip(norms).zip(&shares).map(one).collect()
}

fn optimizer(plan: &WeightingPlan, rule: &Rule, values: &Tensor) -> Result<Optimizer, TrainError> {
    let tensor = TensorPlan {
        name: NAME.to_owned(),
        shape: values.size(),
        dtype: "float32".into(),
        role: Role::Bias,
        part: 0,
        trainable: true,
        group: Some(0),
    };
    let format = MemoryFormat::Contiguous;
    let (groups, values) = (std::slice::from_ref(&plan.group), [values.shallow_clone()]);
    Optimizer::new(rule, groups, &[tensor], &[], &values, format, false)
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, TrainError> {
    Ok(Vec::try_from(&tensor.f_detach()?.f_to_kind(Kind::Double)?)?)
}
