//! Sums gradients over the ranks while the backward pass still runs.

use std::ffi::{c_char, c_void};
use std::rc::Rc;
use std::time::Duration;

use tch::Tensor;

use super::{Group, exchanged};
use crate::TorchError;

unsafe extern "C" {
    fn luthier_reducer_new(
        group: *mut c_void,
        params: *const *const c_void,
        count: usize,
        bucket_bytes: i64,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    fn luthier_reducer_free(reducer: *mut c_void);
    fn luthier_reducer_prepare(reducer: *mut c_void, output: *const c_void) -> *mut c_char;
    fn luthier_reducer_traffic(
        reducer: *mut c_void,
        buckets: *mut i64,
        bytes: *mut i64,
        busy: *mut i64,
        waited: *mut i64,
    );
}

/// What one backward pass exchanged.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Traffic {
    /// Messages
    pub buckets: u64,
    /// Their size together, on one rank
    pub bytes: u64,
    /// From each bucket's start to its end, added up; buckets may be under way together
    pub busy: Duration,
    /// From the last gradient to the end of the exchange: what the step waits
    pub waited: Duration,
}

/// The gradient reducer of `DistributedDataParallel` (libtorch's `c10d::Reducer`): gradients are put together in buckets,
/// and a bucket is summed over the ranks as soon as the backward pass has filled it.
///
/// Parameters that the loss does not depend on are looked for in each graph. One that no rank's loss depended on is left
/// without a gradient, as in one process; one that some ranks' did not counts as zeros there. So no rank waits for a
/// gradient that never comes.
#[derive(Debug)]
pub struct Reducer {
    pointer: *mut c_void,
    /// The reducer works through it for as long as it lives
    _group: Rc<Group>,
}

impl Reducer {
    /// Sums, from here on, the gradients of `params` over the ranks, in buckets of about `bucket_bytes`. All ranks give
    /// the same parameters in the same order.
    ///
    /// # Errors
    /// There is no parameter, or they are on different devices.
    pub fn new(group: Rc<Group>, params: &[Tensor], bucket_bytes: u64) -> Result<Self, TorchError> {
        let list: Vec<*const c_void> = params.iter().map(|param| param.as_ptr() as *const c_void).collect();
        let bytes = i64::try_from(bucket_bytes).unwrap_or(i64::MAX);
        let mut pointer = std::ptr::null_mut();
        // SAFETY: the group is alive, the pointers are to live at::Tensors, as many as said, and the result has a place.
        exchanged(unsafe {
            luthier_reducer_new(group.pointer, list.as_ptr(), list.len(), bytes, &raw mut pointer)
        })?;
        Ok(Reducer { pointer, _group: group })
    }

    /// Runs the backward pass of `loss` and leaves the gradients, those of earlier passes that were not exchanged
    /// included, summed over the ranks. Every rank has to call it as often as the others.
    ///
    /// # Errors
    /// A rank is gone.
    pub fn backward(&self, loss: &Tensor) -> Result<Traffic, TorchError> {
        // SAFETY: the reducer is alive, and the pointer is to a live at::Tensor.
        exchanged(unsafe { luthier_reducer_prepare(self.pointer, loss.as_ptr().cast()) })?;
        loss.f_backward().map_err(|error| TorchError::from(error).if_between_ranks())?;
        let (mut buckets, mut bytes, mut busy, mut waited) = (0i64, 0i64, 0i64, 0i64);
        // SAFETY: the reducer is alive, and every result has a place.
        unsafe {
            luthier_reducer_traffic(
                self.pointer,
                &raw mut buckets,
                &raw mut bytes,
                &raw mut busy,
                &raw mut waited,
            );
        }
        let nanos = |count: i64| Duration::from_nanos(count.max(0).unsigned_abs());
        Ok(Traffic {
            buckets: buckets.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
            busy: nanos(busy),
            waited: nanos(waited),
        })
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: made by `luthier_reducer_new`, and not used after this.
        unsafe { luthier_reducer_free(self.pointer) };
    }
}
