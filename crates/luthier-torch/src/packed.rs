//! Linear layers whose weight is laid out for oneDNN once.

use std::ffi::{c_char, c_void};

use tch::Tensor;

use crate::TorchError;
use crate::ffi::taken;

unsafe extern "C" {
    fn luthier_pack_linear(weight: *const c_void, rows: i64, output: *mut *mut c_void) -> *mut c_char;
    fn luthier_packed_linear(
        input: *const c_void,
        weight: *const c_void,
        bias: *const c_void,
        then: i32,
        output: *mut *mut c_void,
    ) -> *mut c_char;
}

/// What is done to the outputs of a linear layer in the same pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing
    Nothing,
    /// GELU by the error function
    Gelu,
    /// GELU by the hyperbolic tangent, GPT-2's
    GeluTanh,
}

/// A weight in the order in which oneDNN reads it: products with it are about a tenth faster, and no gradient comes out
/// of them. On CPUs only.
#[derive(Debug)]
pub struct PackedLinear {
    // opaque: nothing but the layer below can read it
    weight: Tensor,
}

impl PackedLinear {
    /// Lays `weight` `[out, in]` out anew, for inputs of about `rows` rows; others are right, too.
    ///
    /// # Errors
    /// This libtorch has no oneDNN, or the weight is not on the CPU.
    pub fn new(weight: &Tensor, rows: i64) -> Result<Self, TorchError> {
        let mut output = std::ptr::null_mut();
        // SAFETY: a tch tensor's pointer is to a live at::Tensor; `output` is a local.
        taken(unsafe { luthier_pack_linear(weight.as_ptr().cast(), rows, &mut output) })?;
        // SAFETY: nothing was thrown, so `output` is a new at::Tensor that nobody else has.
        Ok(Self { weight: unsafe { Tensor::from_ptr(output.cast()) } })
    }

    /// `[…, in]` to `[…, out]`, all in the weight's type. No gradient comes out.
    ///
    /// # Errors
    /// Shapes or types do not fit.
    pub fn forward(&self, input: &Tensor, bias: Option<&Tensor>, then: Then) -> Result<Tensor, TorchError> {
        let bias = bias.map_or(std::ptr::null(), |bias| bias.as_ptr().cast());
        let then = match then {
            Then::Nothing => 0,
            Then::Gelu => 1,
            Then::GeluTanh => 2,
        };
        let (input, weight) = (input.as_ptr().cast(), self.weight.as_ptr().cast());
        let mut output = std::ptr::null_mut();
        // SAFETY: pointers to live at::Tensors, the bias or null, which the shim looks for; `output` is a local.
        taken(unsafe { luthier_packed_linear(input, weight, bias, then, &mut output) })?;
        // SAFETY: nothing was thrown, so `output` is a new at::Tensor that nobody else has.
        Ok(unsafe { Tensor::from_ptr(output.cast()) })
    }
}
