//! The shim's functions, made safe to call.

use std::ffi::{CStr, c_char, c_void};

use tch::Tensor;

use crate::{Half, TorchError};

unsafe extern "C" {
    fn luthier_free(message: *mut c_char);
    fn luthier_autocast_enter(
        device: i32,
        format: i32,
        enabled_before: *mut bool,
        dtype_before: *mut i8,
    ) -> *mut c_char;
    fn luthier_autocast_leave(device: i32, enabled_before: bool, dtype_before: i8) -> *mut c_char;
    fn luthier_autocast_format(device: i32) -> i32;
    fn luthier_channels_last(input: *const c_void, output: *mut *mut c_void) -> *mut c_char;
    fn luthier_set_grad(variable: *const c_void, grad: *const c_void) -> *mut c_char;
    fn luthier_set_interop_threads(count: i32) -> *mut c_char;
    fn luthier_set_threads(count: i32) -> *mut c_char;
    fn luthier_loop_threads(count: *mut i32) -> *mut c_char;
}

/// Takes over the message of a call: null means that nothing was thrown.
pub(crate) fn taken(message: *mut c_char) -> Result<(), TorchError> {
    taken_whole(message).map_err(|said| TorchError::thrown(&said))
}

/// As [`taken`], with all that was said.
pub(crate) fn taken_whole(message: *mut c_char) -> Result<(), String> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: not null, so a string that strdup made and that nobody else has.
    let said = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    // SAFETY: as above, and not used after this.
    unsafe { luthier_free(message) };
    Err(said)
}

/// What autocast was set to before a region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    enabled: bool,
    dtype: i8,
}

pub(crate) fn autocast_enter(device: i32, format: Option<Half>) -> Result<Before, TorchError> {
    let format = match format {
        None => 0,
        Some(Half::Bf16) => 1,
        Some(Half::Fp16) => 2,
    };
    let mut before = Before { enabled: false, dtype: 0 };
    // SAFETY: both pointers are to locals that outlive the call.
    taken(unsafe { luthier_autocast_enter(device, format, &mut before.enabled, &mut before.dtype) })?;
    Ok(before)
}

pub(crate) fn autocast_leave(device: i32, before: Before) -> Result<(), TorchError> {
    // SAFETY: plain values; `before` came from `autocast_enter`, so its dtype is one.
    taken(unsafe { luthier_autocast_leave(device, before.enabled, before.dtype) })
}

pub(crate) fn autocast_format(device: i32) -> Option<Half> {
    // SAFETY: a plain value; it reads thread-local settings.
    match unsafe { luthier_autocast_format(device) } {
        1 => Some(Half::Bf16),
        2 => Some(Half::Fp16),
        _ => None,
    }
}

pub(crate) fn channels_last(input: &Tensor) -> Result<Tensor, TorchError> {
    let mut output = std::ptr::null_mut();
    // SAFETY: a tch tensor's pointer is to a live at::Tensor; `output` is a local.
    taken(unsafe { luthier_channels_last(input.as_ptr().cast(), &mut output) })?;
    // SAFETY: nothing was thrown, so `output` is a new at::Tensor that nobody else has.
    Ok(unsafe { Tensor::from_ptr(output.cast()) })
}

pub(crate) fn set_grad(variable: &Tensor, grad: Option<&Tensor>) -> Result<(), TorchError> {
    let grad = grad.map_or(std::ptr::null(), |grad| grad.as_ptr().cast());
    // SAFETY: both are pointers to live at::Tensors (or null, which clears). The slot belongs to the shared
    // TensorImpl, which no Rust reference points into; a `Tensor` is not `Sync`, so this thread alone writes it.
    taken(unsafe { luthier_set_grad(variable.as_ptr().cast(), grad) })
}

pub(crate) fn set_interop_threads(count: i32) -> Result<(), TorchError> {
    // SAFETY: a plain value.
    taken(unsafe { luthier_set_interop_threads(count) })
}

pub(crate) fn loop_threads() -> Result<i32, TorchError> {
    let mut count = 0;
    // SAFETY: `count` is a local.
    taken(unsafe { luthier_loop_threads(&mut count) })?;
    Ok(count)
}

pub(crate) fn set_threads(count: i32) -> Result<(), TorchError> {
    // SAFETY: a plain value.
    taken(unsafe { luthier_set_threads(count) })
}
