//! Regions in which libtorch computes in half precision what half precision serves.

use std::marker::PhantomData;

use tch::Device;

use crate::ffi;

/// A number format of 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// bfloat16: fp32's range, 8 bits of precision
    Bf16,
    /// IEEE 754's binary16: 11 bits of precision, from 6e-8 to 65504
    Fp16,
}

/// Runs `body` with autocast to a format switched on (or off, inside a region where it is on) for one kind of device.
///
/// Convolutions and matrix products then run in that format; normalisation, softmax and losses in fp32; weights stay
/// fp32 and are cast once per outermost region. Only the forward pass belongs inside: the backward pass repeats the
/// formats it recorded. The setting is this thread's own and is restored when `body` panics, too.
pub fn autocast_to<T>(device: Device, format: Option<Half>, body: impl FnOnce() -> T) -> T {
    let _guard = AutocastGuard::new(device, format);
    body()
}

/// As [`autocast_to`], with bf16.
pub fn autocast<T>(device: Device, enabled: bool, body: impl FnOnce() -> T) -> T {
    autocast_to(device, enabled.then_some(Half::Bf16), body)
}

/// The format of the region that this thread is in, for that kind of device; `None` where autocast is off.
pub fn autocast_format(device: Device) -> Option<Half> {
    code(device).and_then(ffi::autocast_format)
}

/// Whether this thread is in a region where autocast is on for that kind of device.
pub fn autocast_enabled(device: Device) -> bool {
    autocast_format(device).is_some()
}

/// The shim's number for a kind of device; `None` for one without autocast.
fn code(device: Device) -> Option<i32> {
    match device {
        Device::Cpu => Some(0),
        Device::Cuda(_) => Some(1),
        Device::Mps => Some(2),
        Device::Vulkan => None,
    }
}

/// An autocast region that ends when this is dropped; see [`autocast_to`].
#[must_use = "the region ends when the guard is dropped"]
#[derive(Debug)]
pub struct AutocastGuard {
    entered: Option<(i32, ffi::Before)>,
    // The setting is the thread's: the guard must be dropped where it was made.
    _not_send: PhantomData<*const ()>,
}

impl AutocastGuard {
    /// Enters a region. A device without autocast (Vulkan) gives a region that changes nothing.
    pub fn new(device: Device, format: Option<Half>) -> Self {
        let entered =
            code(device).and_then(|code| ffi::autocast_enter(code, format).ok().map(|before| (code, before)));
        Self { entered, _not_send: PhantomData }
    }
}

impl Drop for AutocastGuard {
    fn drop(&mut self) {
        if let Some((device, before)) = self.entered {
            // It sets three thread-local values that were set before; there is nobody to tell if that fails.
            let _ = ffi::autocast_leave(device, before);
        }
    }
}
