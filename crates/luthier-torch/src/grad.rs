//! What a parameter and its gradient stand on.

use tch::Tensor;

use crate::{TorchError, ffi};

/// Makes `grad` the gradient of `variable`. A backward pass adds to a gradient that is there, in place, so `grad` may
/// be a view of a buffer.
///
/// # Errors
/// The shapes, kinds or devices differ.
pub fn set_grad(variable: &Tensor, grad: &Tensor) -> Result<(), TorchError> {
    if variable.size() != grad.size() {
        return Err(TorchError::Torch(format!(
            "a gradient of shape {:?} for a tensor of shape {:?}",
            grad.size(),
            variable.size()
        )));
    }
    if (variable.kind(), variable.device()) != (grad.kind(), grad.device()) {
        return Err(TorchError::Torch("a gradient must have its tensor's kind and device".to_owned()));
    }
    ffi::set_grad(variable, Some(grad))
}

/// Takes the gradient away: the next backward pass makes a new one.
///
/// # Errors
/// `variable` is not defined.
pub fn clear_grad(variable: &Tensor) -> Result<(), TorchError> {
    ffi::set_grad(variable, None)
}

/// The gradient, if there is one. It shares the memory of `.grad`.
///
/// # Errors
/// `variable` is not defined.
pub fn grad(variable: &Tensor) -> Result<Option<Tensor>, TorchError> {
    let grad = variable.f_grad()?;
    Ok(grad.defined().then_some(grad))
}

/// Lets `variable`, and every other handle of it, stand on the memory and layout of `data`. Whether it wants a
/// gradient, and the gradient, stay as they are.
///
/// # Errors
/// The kinds do not fit.
pub fn set_data(variable: &Tensor, data: &Tensor) -> Result<(), TorchError> {
    Ok(variable.shallow_clone().f_set_data(data)?)
}
