//! An optimizer opened up: what it remembers of every parameter.

use serde::Serialize;
use tch::{Kind, Tensor};

use super::Optimizer;
use crate::TrainError;

/// What an optimizer remembers of one parameter, and the parameter itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remembered {
    /// Parameter name
    pub name: String,
    /// Scalars in it
    pub elements: u64,
    /// ‖w‖, L2
    pub norm: f64,
    /// Each kind of state, as `exp_avg`; empty for a rule that remembers nothing
    pub state: Vec<Memorised>,
}

/// One kind of state of one parameter, of the parameter's shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Memorised {
    /// As `torch.optim` calls it
    pub kind: &'static str,
    /// L2 norm
    pub norm: f64,
    /// Mean of all elements
    pub mean: f64,
    /// Largest absolute value
    pub largest: f64,
}

impl Optimizer {
    /// Updates done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Every parameter that it moves, group by group.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn opened(&self) -> Result<Vec<Remembered>, TrainError> {
        let mut all = Vec::new();
        for group in &self.groups {
            for (at, (name, value)) in group.names.iter().zip(group.flat.params()).enumerate() {
                let views =
                    group.state.iter().filter_map(|memory| Some((memory.name, memory.views.get(at)?)));
                let state = views.map(|(kind, view)| memorised(kind, view)).collect::<Result<_, _>>()?;
                let (elements, norm) = (value.numel() as u64, scalar(&value.f_norm()?)?);
                all.push(Remembered { name: name.clone(), elements, norm, state });
            }
        }
        Ok(all)
    }
}

fn memorised(kind: &'static str, view: &Tensor) -> Result<Memorised, TrainError> {
    let (norm, mean) = (scalar(&view.f_norm()?)?, scalar(&view.f_mean(Kind::Double)?)?);
    Ok(Memorised { kind, norm, mean, largest: scalar(&view.f_abs()?.f_max()?)? })
}

fn scalar(tensor: &Tensor) -> Result<f64, TrainError> {
    Ok(tensor.f_to_kind(Kind::Double)?.f_double_value(&[])?)
}
