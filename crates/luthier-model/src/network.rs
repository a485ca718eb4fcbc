//! What a model computes.

use tch::Tensor;

use crate::ModelError;

/// What a model computes; its parameters are in the [`ParamStore`](crate::ParamStore) that it was built on.
pub trait Network: Send {
    /// Pictures `[N, 3, H, W]`, normalised, to logits `[N, classes]`. In training, normalisation layers that are
    /// trained use the batch's statistics and move the running ones, and dropout drops.
    ///
    /// # Errors
    /// The shape of `x` does not fit.
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError>;
}
