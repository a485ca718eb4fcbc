//! libtorch's fused optimizer kernels over flat buffers: SGD, Adam and AdamW in one pass over memory.

use std::ffi::{c_char, c_void};

use tch::Tensor;

use crate::TorchError;
use crate::ffi::taken;

unsafe extern "C" {
    fn luthier_fused_sgd(
        values: *const c_void,
        grads: *const c_void,
        momentum_buffer: *const c_void,
        weight_decay: f64,
        momentum: f64,
        lr: f64,
        dampening: f64,
        nesterov: bool,
        first: bool,
    ) -> *mut c_char;
    fn luthier_fused_adam(
        values: *const c_void,
        grads: *const c_void,
        exp_avg: *const c_void,
        exp_avg_sq: *const c_void,
        step: f64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
        decoupled: bool,
    ) -> *mut c_char;
}

/// The numbers of one SGD update (`torch.optim.SGD`).
#[derive(Debug, Clone, Copy)]
pub struct SgdStep {
    /// Learning rate
    pub lr: f64,
    /// Momentum factor
    pub momentum: f64,
    /// Dampening of the momentum
    pub dampening: f64,
    /// Nesterov momentum
    pub nesterov: bool,
    /// L2 penalty added to the gradient
    pub weight_decay: f64,
    /// The momentum buffer holds nothing yet
    pub first: bool,
}

/// Updates `values` in place by `grads`; `momentum_buffer` is needed where momentum is not 0. All are flat fp32 tensors
/// of one length. The weight decay is added to `grads` in place.
///
/// # Errors
/// Lengths, types or devices differ.
pub fn fused_sgd(
    values: &Tensor,
    grads: &Tensor,
    momentum_buffer: Option<&Tensor>,
    step: SgdStep,
) -> Result<(), TorchError> {
    let buffer = momentum_buffer.map_or(std::ptr::null(), |tensor| tensor.as_ptr().cast());
    let (values, grads) = (values.as_ptr().cast(), grads.as_ptr().cast());
    // SAFETY: a tch tensor's pointer is to a live at::Tensor; the buffer is one too, or null, which the shim looks for.
    taken(unsafe {
        luthier_fused_sgd(
            values,
            grads,
            buffer,
            step.weight_decay,
            step.momentum,
            step.lr,
            step.dampening,
            step.nesterov,
            step.first,
        )
    })
}

/// The numbers of one Adam update (`torch.optim.Adam`, `torch.optim.AdamW`).
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// Number of this update, counted from 1
    pub step: u64,
    /// Learning rate
    pub lr: f64,
    /// Decay of the running averages
    pub betas: [f64; 2],
    /// Added to the denominator
    pub eps: f64,
    /// Strength of weight decay
    pub weight_decay: f64,
    /// Weight decay shrinks the weights (AdamW) instead of joining the gradient (Adam)
    pub decoupled: bool,
}

/// Updates `values`, `exp_avg` and `exp_avg_sq` in place by `grads`; all are flat fp32 tensors of one length.
///
/// # Errors
/// Lengths, types or devices differ.
pub fn fused_adam(
    values: &Tensor,
    grads: &Tensor,
    exp_avg: &Tensor,
    exp_avg_sq: &Tensor,
    step: AdamStep,
) -> Result<(), TorchError> {
    // SAFETY: a tch tensor's pointer is to a live at::Tensor, and the borrows outlive the call.
    taken(unsafe {
        luthier_fused_adam(
            values.as_ptr().cast(),
            grads.as_ptr().cast(),
            exp_avg.as_ptr().cast(),
            exp_avg_sq.as_ptr().cast(),
            step.step as f64,
            step.lr,
            step.betas[0],
            step.betas[1],
            step.weight_decay,
            step.eps,
            step.decoupled,
        )
    })
}
