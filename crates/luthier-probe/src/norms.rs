//! Norms of tensors and of lists of tensors.

use luthier_train::TrainError;
use tch::{Kind, Tensor};

/// L2 norm in fp32.
pub(crate) fn norm(tensor: &Tensor) -> Result<f64, TrainError> {
    Ok(tensor.f_detach()?.f_norm()?.f_double_value(&[])?)
}

/// L2 norm of a difference.
pub(crate) fn distance(a: &Tensor, b: &Tensor) -> Result<f64, TrainError> {
    norm(&a.f_detach()?.f_sub(&b.f_detach()?)?)
}

/// Inner product of two lists.
pub(crate) fn dot(a: &[Tensor], b: &[Tensor]) -> Result<f64, TrainError> {
    let mut sum = 0.0;
    for (a, b) in a.iter().zip(b) {
        sum += a.f_mul(b)?.f_sum(Kind::Double)?.f_double_value(&[])?;
    }
    Ok(sum)
}

/// L2 norm of a list.
pub(crate) fn length(list: &[Tensor]) -> Result<f64, TrainError> {
    Ok(dot(list, list)?.sqrt())
}

/// Largest absolute difference, relative to the standard deviation of `a` (or to its largest number where it has
/// none).
pub(crate) fn relative_change(a: &Tensor, b: &Tensor) -> Result<f64, TrainError> {
    let difference = a.f_sub(b)?.f_abs()?.f_max()?.f_double_value(&[])?;
    let spread = a.f_std(false)?.f_double_value(&[])?;
    let scale = if spread > 0.0 { spread } else { a.f_abs()?.f_max()?.f_double_value(&[])? };
    Ok(if difference == 0.0 { 0.0 } else { told(difference / scale) })
}

/// A number as facts carry it: JSON has none that is not finite, so those become the largest there is.
pub(crate) fn told(number: f64) -> f64 {
    if number.is_finite() { number } else { f64::MAX }
}
