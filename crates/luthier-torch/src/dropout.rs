//! Dropout (Srivastava et al. 2014).

use std::ffi::{c_char, c_void};

use tch::{Device, Tensor};

use crate::TorchError;
use crate::ffi::taken;

unsafe extern "C" {
    fn luthier_dropout_mask(input: *const c_void, rate: f64, output: *mut *mut c_void) -> *mut c_char;
}

/// Sets each element to zero with probability `rate` and divides the others by `1 - rate`, as `torch.nn.Dropout` in
/// training; `rate` is in [0, 1). On the CPU the mask is drawn by all threads at once: another mask than libtorch's for
/// the same seed, of the same distribution, and the same for any number of threads.
///
/// # Errors
/// `x` is not of floats.
pub fn dropout(x: &Tensor, rate: f64) -> Result<Tensor, TorchError> {
    if x.device() != Device::Cpu {
        return Ok(x.f_dropout(rate, true)?);
    }
    let mut mask = std::ptr::null_mut();
    let input = x.f_detach()?;
    // SAFETY: the pointer is to a live at::Tensor, and the result has a place.
    taken(unsafe { luthier_dropout_mask(input.as_ptr().cast(), rate, &raw mut mask) })?;
    // SAFETY: nothing was thrown, so the place holds a new tensor that nobody else has.
    let mask = unsafe { Tensor::from_ptr(mask.cast()) };
    Ok(x.f_mul(&mask)?)
}
