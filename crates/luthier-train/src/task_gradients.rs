//! Gradients of every task by itself.

use std::collections::HashMap;

use luthier_plan::{is_looked_at, weighting};
use tch::{Kind, Tensor};

use crate::TrainError;
use crate::job::Job;

/// Gradients of every task by itself, at parameters that the tasks share.
pub(crate) struct TaskGradients {
    /// The parameters
    at: Vec<Tensor>,
    /// Those at which GradNorm compares lengths
    lengths: Vec<bool>,
    /// Directions are compared as well, at all of them
    directions: bool,
    /// Of each task, one for each parameter
    sums: Vec<Vec<Option<Tensor>>>,
}

impl Job {
    /// What has to be taken in update `number`, counted from 0; `None` where it is nothing.
    pub(crate) fn task_gradients(&self, number: u64) -> Option<TaskGradients> {
        let plan = &self.runner.plan;
        let monitor = &plan.recipe.train.monitor;
        let several = plan.data.tasks.len() > 1;
        let directions = several && monitor.gradient_cosine && is_looked_at(plan, number + 1);
        let compared =
            plan.weighting.as_ref().map(|weighting| weighting.shared.as_slice()).unwrap_or_default();
        if !directions && compared.is_empty() {
            return None;
        }
        let wanted: Vec<&str> = if directions {
            weighting::common(plan).into_iter().map(|tensor| tensor.name.as_str()).collect()
        } else {
            compared.iter().map(String::as_str).collect()
        };
        let entries = self.runner.model.store.entries();
        let known: HashMap<&str, &Tensor> =
            entries.iter().map(|entry| (entry.name.as_str(), &entry.tensor)).collect();
        // in this stage some may rest
        let moving = wanted.into_iter().filter_map(|name| Some((name, *known.get(name)?)));
        let moving = moving.filter(|(_, tensor)| tensor.requires_grad());
        let (at, lengths): (Vec<Tensor>, Vec<bool>) = moving
            .map(|(name, tensor)| (tensor.shallow_clone(), compared.iter().any(|other| other == name)))
            .unzip();
        (!at.is_empty()).then(|| TaskGradients { at, lengths, directions, sums: Vec::new() })
    }
}

impl TaskGradients {
    /// Adds the gradients of a batch's `losses`, one of each task, times `scale`. The graph is kept.
    ///
    /// # Errors
    /// Memory runs out.
    pub(crate) fn add(&mut self, losses: &[Tensor], scale: f64) -> Result<(), TrainError> {
        self.sums.resize_with(losses.len(), || self.at.iter().map(|_| None).collect());
        for (loss, sums) in losses.iter().zip(&mut self.sums) {
            let loss = if scale == 1.0 { loss.shallow_clone() } else { loss.f_mul_scalar(scale)? };
            let grads = Tensor::f_run_backward(&[loss], &self.at, true, false)?;
            for (sum, grad) in sums.iter_mut().zip(grads) {
                if grad.defined() {
                    *sum = Some(match sum.take() {
                        Some(before) => before.f_add(&grad)?,
                        None => grad,
                    });
                }
            }
        }
        Ok(())
    }

    /// What the gradients of all batches of all ranks came to, of so many tasks, the `scale` taken out of lengths. Where
    /// they overflowed nothing can be compared.
    ///
    /// # Errors
    /// A rank is gone.
    pub(crate) fn end(
        mut self,
        tasks: usize,
        ranks: Option<&crate::Ranks>,
        scale: f64,
    ) -> Result<Compared, TrainError> {
        self.sums.resize_with(tasks, || self.at.iter().map(|_| None).collect());
        let mut products = vec![vec![0.0; tasks]; tasks];
        let mut squares = vec![0.0; tasks];
        for (place, param) in self.at.iter().enumerate() {
            let mut grads = Vec::with_capacity(tasks);
            for sums in &mut self.sums {
                grads.push(match sums.get_mut(place).and_then(Option::take) {
                    Some(grad) => grad.f_reshape([-1])?,
                    None => param.f_detach()?.f_zeros_like()?.f_reshape([-1])?,
                });
            }
            let grads = Tensor::f_stack(&grads, 0)?;
            if let Some(ranks) = ranks {
                ranks.group.sum(&grads)?;
            }
            let gram = grads.f_matmul(&grads.f_transpose(0, 1)?)?.f_to_kind(Kind::Double)?;
            let gram = Vec::<f64>::try_from(&gram.f_reshape([-1])?)?;
            for (row, line) in gram.chunks(tasks.max(1)).enumerate() {
                for (column, product) in line.iter().enumerate() {
                    products[row][column] += product;
                }
                if self.lengths.get(place).copied().unwrap_or(false) {
                    squares[row] += line[row];
                }
            }
        }
        if !products.iter().flatten().all(|product: &f64| product.is_finite()) {
            return Ok(Compared::default());
        }
        let norms = squares.into_iter().map(|square: f64| square.max(0.0).sqrt() / scale).collect();
        Ok(Compared { norms, products: if self.directions { products } else { Vec::new() } })
    }
}

/// Gradients of every task, compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Compared {
    /// Lengths of the gradients at the parameters that GradNorm looks at
    pub norms: Vec<f64>,
    /// Inner products of every two gradients at all shared parameters; empty where nobody asked
    products: Vec<Vec<f64>>,
}

impl Compared {
    /// Cosine between the gradients of every two tasks, by their `names`. One that has no gradient has no direction.
    pub(crate) fn cosines(&self, names: &[String]) -> Vec<(String, String, f64)> {
        let mut all = Vec::new();
        for (at, row) in self.products.iter().enumerate() {
            for (other, product) in row.iter().enumerate().skip(at + 1) {
                let length = (self.products[at][at] * self.products[other][other]).sqrt();
                if let (Some(one), Some(two)) = (names.get(at), names.get(other))
                    && length > 0.0
                {
                    all.push((one.clone(), two.clone(), product / length));
                }
            }
        }
        all
    }
}
