//! Batch normalisation over the batches of all ranks, which libtorch has for GPUs only.

use std::cell::RefCell;
use std::rc::Rc;

use tch::{Kind, Tensor};

use super::Group;
use crate::TorchError;

thread_local! {
    static OVER: RefCell<Option<Rc<Group>>> = const { RefCell::new(None) };
}

/// While it is held, what runs on this thread takes BatchNorm's statistics over a group.
#[must_use = "statistics are each rank's own again once this is dropped"]
#[derive(Debug)]
pub struct NormsOver {
    before: Option<Rc<Group>>,
}

/// BatchNorm's statistics are those of all ranks of `group`, until the result is dropped. Every rank has to run the same
/// layers in the same order.
pub fn norms_over(group: Rc<Group>) -> NormsOver {
    NormsOver { before: OVER.replace(Some(group)) }
}

impl Drop for NormsOver {
    fn drop(&mut self) {
        OVER.set(self.before.take());
    }
}

/// The group that statistics are taken over, if it is not one rank alone.
pub fn norm_group() -> Option<Rc<Group>> {
    OVER.with_borrow(Clone::clone)
}

/// What a batch normalisation keeps: `[C]` each.
#[derive(Debug, Clone, Copy)]
pub struct NormState<'a> {
    /// Scale
    pub weight: &'a Tensor,
    /// Shift
    pub bias: &'a Tensor,
    /// Moved by `momentum`
    pub running_mean: &'a Tensor,
    /// Moved by `momentum`, towards the unbiased variance
    pub running_var: &'a Tensor,
    /// Share of the batch in the running statistics
    pub momentum: f64,
    /// Added to the variance
    pub eps: f64,
}

impl Group {
    /// Batch normalisation of `x`, `[N, C, …]`, in training, with mean and variance over the batches of all ranks, which
    /// may be of different sizes, an empty one too: what PyTorch's `SyncBatchNorm` computes. Statistics are in fp32.
    ///
    /// Deviations are taken from the mean of all before they are squared, which costs a second message and does not lose
    /// digits where the mean is large.
    ///
    /// # Errors
    /// A rank is gone, the shapes do not fit, or all ranks together have one value per channel: `None`.
    pub fn batch_norm(&self, x: &Tensor, state: NormState<'_>) -> Result<Option<Tensor>, TorchError> {
        let size = x.size();
        let axes: Vec<i64> = (0..size.len() as i64).filter(|axis| *axis != 1).collect();
        let channels = size.get(1).copied().unwrap_or(0);
        let own: i64 = axes.iter().map(|axis| size[*axis as usize]).product();
        let shape: Vec<i64> = (0..size.len()).map(|axis| if axis == 1 { -1 } else { 1 }).collect();
        let total = |of: &Tensor| of.f_sum_dim_intlist(&axes[..], false, Kind::Float);

        let values = x.f_to_kind(Kind::Float)?;
        let count = Tensor::f_full([1], own as f64, (Kind::Float, x.device()))?;
        let sums = self.sum_of(&Tensor::f_cat(&[total(&values)?, count], 0)?)?;
        let count = sums.f_double_value(&[channels])?;
        if count < 2.0 {
            return Ok(None);
        }
        let mean = sums.f_narrow(0, 0, channels)?.f_div_scalar(count)?;
        let centred = values.f_sub(&mean.f_view(&shape[..])?)?;
        let var = self.sum_of(&total(&centred.f_square()?)?)?.f_div_scalar(count)?;
        tch::no_grad(|| {
            let moved =
                |kept: &Tensor, seen: &Tensor| kept.shallow_clone().f_lerp_(seen, state.momentum).map(|_| ());
            moved(state.running_mean, &mean)?;
            moved(state.running_var, &var.f_mul_scalar(count / (count - 1.0))?)
        })?;
        let scale = var.f_add_scalar(state.eps)?.f_rsqrt()?.f_mul(state.weight)?;
        let scaled = centred.f_mul(&scale.f_view(&shape[..])?)?;
        Ok(Some(scaled.f_add(&state.bias.f_view(&shape[..])?)?.f_to_kind(x.kind())?))
    }
}
