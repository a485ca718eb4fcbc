//! Threads of libtorch.

use crate::{TorchError, ffi};

/// Threads that share one operation.
pub fn threads() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// Sets the threads that share one operation. Sums are split by thread, so another count may change the last bits.
///
/// # Errors
/// The count is 0 or absurd.
pub fn set_threads(count: usize) -> Result<(), TorchError> {
    ffi::set_threads(checked(count)?)
}

/// Threads that share one of Luthier's own loops: as many as [`threads`], unless libtorch came without the OpenMP that
/// they run on.
pub fn loop_threads() -> usize {
    ffi::loop_threads().ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(1)
}

/// Threads that run independent operations.
pub fn interop_threads() -> usize {
    usize::try_from(tch::get_num_interop_threads()).unwrap_or(1)
}

/// Sets the threads that run independent operations: once, before the first of them.
///
/// # Errors
/// The count is 0 or absurd, or it is too late.
pub fn set_interop_threads(count: usize) -> Result<(), TorchError> {
    ffi::set_interop_threads(checked(count)?)
}

fn checked(count: usize) -> Result<i32, TorchError> {
    i32::try_from(count).ok().filter(|&count| count > 0).ok_or(TorchError::Threads(count))
}
