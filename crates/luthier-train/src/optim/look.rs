//! Norms of every tensor that an optimizer moves: its values', its gradient's, its change's.

use std::collections::HashMap;

use luthier_plan::{TensorPlan, TensorPoint};
use luthier_torch::FlatBuffer;
use tch::{Device, Kind, Tensor};

use super::{Optimizer, all_finite};
use crate::TrainError;

/// What an update will be held against.
pub(crate) struct Begun {
    /// Values of each group
    before: Vec<Tensor>,
    norms: Vec<f64>,
    grads: Vec<f64>,
}

impl Optimizer {
    /// To be called when the gradients are there, and neither clipped nor used.
    pub(crate) fn begin_look(&self) -> Result<Begun, TrainError> {
        let groups = || self.groups.iter().map(|group| &group.flat);
        let before = groups().map(|flat| Ok(flat.data().f_detach_copy()?)).collect::<Result<_, TrainError>>();
        Ok(Begun {
            norms: norms(groups().map(|flat| (flat, flat.data())))?,
            grads: self.grad_norms()?,
            before: before?,
        })
    }

    /// To be called after the update, while its gradients are there; in the order of `plans`.
    pub(crate) fn end_look(
        &self,
        begun: Begun,
        plans: &[TensorPlan],
    ) -> Result<Vec<TensorPoint>, TrainError> {
        for (before, group) in begun.before.iter().zip(&self.groups) {
            let _ = before.shallow_clone().f_sub_(group.flat.data())?;
        }
        let flats = self.groups.iter().map(|group| &group.flat);
        let changes = norms(flats.zip(&begun.before))?;
        let names = self.groups.iter().flat_map(|group| &group.names);
        let numbers = begun.norms.into_iter().zip(begun.grads).zip(changes);
        let trust = self.trust_ratios()?;
        let mut found: HashMap<&str, TensorPoint> = names
            .zip(numbers)
            .map(|(name, ((norm, grad), update))| {
                let trust = trust.get(name.as_str()).copied();
                (name.as_str(), TensorPoint { name: name.clone(), norm, grad, update, trust })
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
        let mut found = Vec::new();
        for group in &self.groups {
            for grad in group.flat.grads()? {
                found.push(match grad {
                    Some(grad) => grad.f_norm()?,
                    None => Tensor::f_zeros([], (Kind::Float, group.flat.data().device()))?,
                });
            }
        }
        together(&found)
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

/// L2 norm of every parameter's share of tensors that are laid out as their buffers. They come from the device together.
fn norms<'a>(flats: impl Iterator<Item = (&'a FlatBuffer, &'a Tensor)>) -> Result<Vec<f64>, TrainError> {
    let mut found = Vec::new();
    for (flat, values) in flats {
        for slot in flat.slots() {
            found.push(values.f_narrow(0, slot.offset, slot.len())?.f_norm()?);
        }
    }
    together(&found)
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
