//! libtorch's fused optimizer kernels over lists of tensors: SGD, Adam and AdamW in one pass over memory.

use std::ffi::{c_char, c_void};

use tch::Tensor;

use crate::TorchError;
use crate::ffi::taken;

pub(crate) type List = *const *const c_void;

unsafe extern "C" {
    fn luthier_fused_sgd(
        values: List,
        grads: List,
        momentum_buffers: List,
        count: usize,
        weight_decay: f64,
        momentum: f64,
        lr: f64,
        dampening: f64,
        nesterov: bool,
        first: bool,
    ) -> *mut c_char;
    fn luthier_fused_adam(
        values: List,
        grads: List,
        exp_avgs: List,
        exp_avg_sqs: List,
        count: usize,
        step: f64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
        decoupled: bool,
    ) -> *mut c_char;
    fn luthier_norm(tensors: List, count: usize, norm: *mut f64) -> *mut c_char;
    fn luthier_scale(tensors: List, count: usize, factor: f64) -> *mut c_char;
    fn luthier_lerp(tensors: List, ends: List, count: usize, weight: f64) -> *mut c_char;
}

/// Pointers to the tensors, for as long as they are borrowed.
pub(crate) fn list(tensors: &[Tensor]) -> Vec<*const c_void> {
    tensors.iter().map(|tensor| tensor.as_ptr() as *const c_void).collect()
}

pub(crate) fn same_count(lists: &[&[Tensor]]) -> Result<usize, TorchError> {
    let counts: Vec<usize> = lists.iter().map(|list| list.len()).collect();
    match counts.split_first() {
        Some((first, rest)) if rest.iter().all(|count| count == first) => Ok(*first),
        _ => Err(TorchError::Torch(format!("lists of {counts:?} tensors do not go together"))),
    }
}

/// L2 norm of all tensors together, which are fp32; added up in double precision.
///
/// # Errors
/// A tensor is not of floats.
pub fn norm(tensors: &[Tensor]) -> Result<f64, TorchError> {
    let mut norm = 0.0;
    // SAFETY: the pointers are to live at::Tensors, as many as said, and the result has a place.
    taken(unsafe { luthier_norm(list(tensors).as_ptr(), tensors.len(), &raw mut norm) })?;
    Ok(norm)
}

/// Multiplies all tensors by one number, in place.
///
/// # Errors
/// libtorch refuses, which it has no reason to.
pub fn scale(tensors: &[Tensor], factor: f64) -> Result<(), TorchError> {
    // SAFETY: the pointers are to live at::Tensors, as many as said.
    taken(unsafe { luthier_scale(list(tensors).as_ptr(), tensors.len(), factor) })
}

/// Moves every tensor towards its end by a share of the way, in place: w ← w + weight · (end − w).
///
/// # Errors
/// Lengths of lists, or shapes, types or devices of tensors differ.
pub fn lerp(tensors: &[Tensor], ends: &[Tensor], weight: f64) -> Result<(), TorchError> {
    let count = same_count(&[tensors, ends])?;
    // SAFETY: the pointers are to live at::Tensors, as many as said.
    taken(unsafe { luthier_lerp(list(tensors).as_ptr(), list(ends).as_ptr(), count, weight) })
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

/// Updates `values` in place by `grads`; `momentum_buffers` are needed where momentum is not 0. Lists of fp32 tensors
/// that agree one by one in shape and layout. The weight decay is added to `grads` in place.
///
/// # Errors
/// Lengths of lists or of tensors, types or devices differ.
pub fn fused_sgd(
    values: &[Tensor],
    grads: &[Tensor],
    momentum_buffers: Option<&[Tensor]>,
    step: SgdStep,
) -> Result<(), TorchError> {
    let count = same_count(&[values, grads, momentum_buffers.unwrap_or(values)])?;
    let buffers = momentum_buffers.map(list);
    // SAFETY: the pointers are to live at::Tensors, as many as said; those of the buffers may be null, which the shim
    // looks for.
    taken(unsafe {
        luthier_fused_sgd(
            list(values).as_ptr(),
            list(grads).as_ptr(),
            buffers.as_ref().map_or(std::ptr::null(), |buffers| buffers.as_ptr()),
            count,
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

/// Updates `values`, `exp_avgs` and `exp_avg_sqs` in place by `grads`: lists of fp32 tensors that agree one by one in
/// shape and layout.
///
/// # Errors
/// Lengths of lists or of tensors, types or devices differ.
pub fn fused_adam(
    values: &[Tensor],
    grads: &[Tensor],
    exp_avgs: &[Tensor],
    exp_avg_sqs: &[Tensor],
    step: AdamStep,
) -> Result<(), TorchError> {
    let count = same_count(&[values, grads, exp_avgs, exp_avg_sqs])?;
    // SAFETY: the pointers are to live at::Tensors, as many as said, and the borrows outlive the call.
    taken(unsafe {
        luthier_fused_adam(
            list(values).as_ptr(),
            list(grads).as_ptr(),
            list(exp_avgs).as_ptr(),
            list(exp_avg_sqs).as_ptr(),
            count,
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
