use luthier_plan::Role;
use tch::Tensor;

use crate::{Builder, Init, ModelError};

/// A table of vectors.
#[derive(Debug)]
pub struct Embedding {
    weight: Tensor,
}

impl Embedding {
    /// `weight` is `[count, width]` and starts normal with this deviation.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn new(mut place: Builder<'_>, [count, width]: [i64; 2], deviation: f64) -> Result<Self, ModelError> {
        let init = Init::Normal(deviation);
        Ok(Self { weight: place.parameter("weight", &[count, width], Role::Weight, init)? })
    }

    /// Row numbers `[n]` to rows `[n, width]`.
    ///
    /// # Errors
    /// There is no such row.
    pub fn forward(&self, rows: &Tensor) -> Result<Tensor, ModelError> {
        Ok(Tensor::f_embedding(&self.weight, rows, -1, false, false)?)
    }

    /// The table itself.
    pub(crate) fn weight(&self) -> &Tensor {
        &self.weight
    }
}
