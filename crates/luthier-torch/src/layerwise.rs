//! LAMB and LARS over lists of tensors: a step's length is a share of the tensor's own norm.

use std::ffi::{c_char, c_void};

use tch::Tensor;

use crate::TorchError;
use crate::ffi::taken;
use crate::fused::{List, list, same_count};

unsafe extern "C" {
    fn luthier_fused_lamb(
        values: List,
        grads: List,
        exp_avgs: List,
        exp_avg_sqs: List,
        adapt: *const bool,
        count: usize,
        step: f64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
        ratios: *mut *mut c_void,
    ) -> *mut c_char;
    fn luthier_fused_lars(
        values: List,
        grads: List,
        momentum_buffers: List,
        adapt: *const bool,
        count: usize,
        lr: f64,
        momentum: f64,
        weight_decay: f64,
        coefficient: f64,
        ratios: *mut *mut c_void,
    ) -> *mut c_char;
}

/// The numbers of one LAMB update (You et al. 2020).
#[derive(Debug, Clone, Copy)]
pub struct LambStep {
    /// Number of this update, counted from 1
    pub step: u64,
    /// Learning rate
    pub lr: f64,
    /// Decay of the running averages
    pub betas: [f64; 2],
    /// Added to the denominator
    pub eps: f64,
    /// Strength of weight decay, added to Adam's step before it is measured
    pub weight_decay: f64,
}

/// Updates `values`, `exp_avgs` and `exp_avg_sqs` in place by `grads`: lists of fp32 tensors that agree one by one in
/// shape and layout. Where `adapt` says so, Adam's step of a tensor is multiplied by its trust ratio ‖w‖ / ‖step‖ (1
/// where either is 0). Returns the ratios, a tensor of one number per tensor; those that are spared have 1.
///
/// # Errors
/// Lengths of lists or of tensors, types or devices differ.
pub fn fused_lamb(
    values: &[Tensor],
    grads: &[Tensor],
    exp_avgs: &[Tensor],
    exp_avg_sqs: &[Tensor],
    adapt: &[bool],
    step: LambStep,
) -> Result<Tensor, TorchError> {
    let count = same_count(&[values, grads, exp_avgs, exp_avg_sqs])?;
    let mut ratios = std::ptr::null_mut();
    let Some(first) = one_flag_each(values, adapt)? else { return no_ratios() };
    // SAFETY: the pointers are to live at::Tensors and flags, as many as said, and `ratios` is a local.
    taken(unsafe {
        luthier_fused_lamb(
            list(values).as_ptr(),
            list(grads).as_ptr(),
            list(exp_avgs).as_ptr(),
            list(exp_avg_sqs).as_ptr(),
            first,
            count,
            step.step as f64,
            step.lr,
            step.betas[0],
            step.betas[1],
            step.weight_decay,
            step.eps,
            &raw mut ratios,
        )
    })?;
    // SAFETY: nothing was thrown, so `ratios` is a new at::Tensor that nobody else has.
    Ok(unsafe { Tensor::from_ptr(ratios.cast()) })
}

/// The numbers of one LARS update (You et al. 2017).
#[derive(Debug, Clone, Copy)]
pub struct LarsStep {
    /// Learning rate
    pub lr: f64,
    /// Momentum factor
    pub momentum: f64,
    /// L2 penalty added to the gradient
    pub weight_decay: f64,
    /// Share of a tensor's norm that one update at rate 1 changes
    pub trust_coefficient: f64,
}

/// Updates `values` in place by `grads`; `momentum_buffers` are needed where momentum is not 0. Lists of fp32 tensors
/// that agree one by one in shape and layout; the gradients are used up. Where `adapt` says so, a tensor's rate is
/// multiplied by coefficient · ‖w‖ / (‖gradient‖ + decay · ‖w‖) (by 1 where ‖w‖ or what it is divided by is 0). Returns
/// these ratios, a tensor of one number per tensor; those that are spared have 1.
///
/// # Errors
/// Lengths of lists or of tensors, types or devices differ.
pub fn fused_lars(
    values: &[Tensor],
    grads: &[Tensor],
    momentum_buffers: Option<&[Tensor]>,
    adapt: &[bool],
    step: LarsStep,
) -> Result<Tensor, TorchError> {
    let count = same_count(&[values, grads, momentum_buffers.unwrap_or(values)])?;
    let buffers = momentum_buffers.map(list);
    let mut ratios = std::ptr::null_mut();
    let Some(first) = one_flag_each(values, adapt)? else { return no_ratios() };
    // SAFETY: the pointers are to live at::Tensors and flags, as many as said, those of the buffers may be null, which
    // the shim looks for, and `ratios` is a local.
    taken(unsafe {
        luthier_fused_lars(
            list(values).as_ptr(),
            list(grads).as_ptr(),
            buffers.as_ref().map_or(std::ptr::null(), |buffers| buffers.as_ptr()),
            first,
            count,
            step.lr,
            step.momentum,
            step.weight_decay,
            step.trust_coefficient,
            &raw mut ratios,
        )
    })?;
    // SAFETY: nothing was thrown, so `ratios` is a new at::Tensor that nobody else has.
    Ok(unsafe { Tensor::from_ptr(ratios.cast()) })
}

/// The flags, if there is one for each tensor; `None` where there are none, since libtorch takes no empty lists.
fn one_flag_each(tensors: &[Tensor], flags: &[bool]) -> Result<Option<*const bool>, TorchError> {
    if tensors.len() != flags.len() {
        let (tensors, flags) = (tensors.len(), flags.len());
        return Err(TorchError::Torch(format!("{flags} flags for {tensors} tensors")));
    }
    Ok((!flags.is_empty()).then_some(flags.as_ptr()))
}

fn no_ratios() -> Result<Tensor, TorchError> {
    Ok(Tensor::f_zeros([0], (tch::Kind::Float, tch::Device::Cpu))?)
}
