//! Norms of every tensor that an optimizer moves: its values', its gradient's, its change's.

use std::collections::HashMap;

use luthier_plan::{TensorPlan, TensorPoint};
use luthier_torch::{Kept, norms};
use tch::{Device, Kind, Tensor};

use super::{Optimizer, all_finite};
use crate::TrainError;

/// What an update will be held against.
pub(crate) struct Begun {
    /// Values of each group
    before: Vec<Kept>,
    grads: Vec<f64>,
}

impl Optimizer {
    /// To be called when the gradients are there, and neither clipped nor used.
    pub(crate) fn begin_look(&self) -> Result<Begun, TrainError> {
        let kept = self.groups.iter().map(|group| Ok(Kept::of(&group.flat)?));
        Ok(Begun { before: kept.collect::<Result<_, TrainError>>()?, grads: self.grad_norms()? })
    }

    /// To be called after the update, while its gradients are there; in the order of `plans`.
    pub(crate) fn end_look(
        &self,
        begun: Begun,
        plans: &[TensorPlan],
    ) -> Result<Vec<TensorPoint>, TrainError> {
        let mut changes = Vec::with_capacity(begun.grads.len());
        for (before, group) in begun.before.iter().zip(&self.groups) {
            changes.extend(before.changes(&group.flat)?);
        }
        let names = self.groups.iter().flat_map(|group| &group.names);
        let norms = begun.before.iter().flat_map(Kept::norms);
        let numbers = norms.zip(begun.grads).zip(changes);
        let trust = self.trust_ratios()?;
        let mut found: HashMap<&str, TensorPoint> = names
            .zip(numbers)
            .map(|(name, ((norm, grad), update))| {
                let trust = trust.get(name.as_str()).copied();
                (name.as_str(), TensorPoint { name: name.clone(), norm: *norm, grad, update, trust })
            })
            .collect();
        Ok(plans.iter().filter_map(|plan| found.remove(plan.name.as_str())).collect())
    }

    /// The trust ratios of the last update by parameter name, of those that have one.
    pub fn trust_ratios(&self) -> Result<HashMap<&str, f64>, TrainError> {
        let mut found = HashMap::new();
        for group in &self.groups {
            let Some(ratios) = &group.trust else { continue };
            // a parameter without a gradient did not move, and has no place among the ratios
            let grads = group.flat.grads()?;
            let moved = group.names.iter().zip(&group.adapt).zip(&grads).filter(|(_, grad)| grad.is_some());
            for (((name, adapt), _), ratio) in moved.zip(together(std::slice::from_ref(ratios))?) {
                if *adapt {
                    found.insert(name.as_str(), ratio);
                }
            }
        }
        Ok(found)
    }

    /// Norm of every parameter's gradient; 0 where there is none.
    fn grad_norms(&self) -> Result<Vec<f64>, TrainError> {
        let mut all = Vec::new();
        for group in &self.groups {
            let grads = group.flat.grads()?;
            let there: Vec<Tensor> = grads.iter().flatten().map(Tensor::shallow_clone).collect();
            let mut found = norms(&there)?.into_iter();
            all.extend(grads.iter().map(|grad| grad.as_ref().and_then(|_| found.next()).unwrap_or(0.0)));
        }
        Ok(all)
    }

    /// Names of the parameters that have no gradient, in the order of `plans`.
    pub(crate) fn without_gradient(&self, plans: &[TensorPlan]) -> Result<Vec<String>, TrainError> {
        let mut none = Vec::new();
        for group in &self.groups {
            let grads = group.flat.grads()?;
            none.extend(
                group.names.iter().zip(grads).filter(|(_, grad)| grad.is_none()).map(|(name, _)| name),
            );
        }
        let planned = plans.iter().filter(|plan| none.contains(&&plan.name));
        Ok(planned.map(|plan| plan.name.clone()).collect())
    }

    /// Names of the parameters whose gradient is not finite, in the order of `plans`.
    pub(crate) fn bad_gradients(&self, plans: &[TensorPlan]) -> Result<Vec<String>, TrainError> {
        let mut bad = Vec::new();
        for group in &self.groups {
            for (name, grad) in group.names.iter().zip(group.flat.grads()?) {
                if let Some(grad) = grad
                    && !all_finite(&grad)?
                {
                    bad.push(name.as_str());
                }
            }
        }
        let planned = plans.iter().filter(|plan| bad.contains(&plan.name.as_str()));
        Ok(planned.map(|plan| plan.name.clone()).collect())
    }

    /// Whether every value that the optimizer moves is finite.
    pub(crate) fn is_finite(&self) -> Result<bool, TrainError> {
        for group in &self.groups {
            if !all_finite(group.flat.data())? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Numbers, from the device at once.
fn together(scalars: &[Tensor]) -> Result<Vec<f64>, TrainError> {
    if scalars.is_empty() {
        return Ok(Vec::new());
    }
    let all =
        Tensor::f_stack(scalars, 0)?.f_flatten(0, -1)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    Ok(Vec::<f64>::try_from(&all)?)
}
