//! Regions in which libtorch computes in bf16 what bf16 serves.

use std::marker::PhantomData;

use tch::Device;

use crate::ffi;

/// Runs `body` with bf16 autocast switched on (or off, inside a region where it is on) for one kind of device.
///
/// Convolutions and matrix products then run in bf16; normalisation, softmax and losses in fp32; weights stay fp32
/// and are cast once per outermost region. Only the forward pass belongs inside: the backward pass repeats the
/// formats it recorded. The setting is this thread's own and is restored when `body` panics, too.
pub fn autocast<T>(device: Device, enabled: bool, body: impl FnOnce() -> T) -> T {
    let _guard = AutocastGuard::new(device, enabled);
    body()
}

/// Whether this thread is in a region where autocast is on for that kind of device.
pub fn autocast_enabled(device: Device) -> bool {
    code(device).is_some_and(ffi::autocast_enabled)
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

/// An autocast region that ends when this is dropped; see [`autocast`].
#[must_use = "the region ends when the guard is dropped"]
#[derive(Debug)]
pub struct AutocastGuard {
    entered: Option<(i32, ffi::Before)>,
    // The setting is the thread's: the guard must be dropped where it was made.
    _not_send: PhantomData<*const ()>,
}

impl AutocastGuard {
    /// Enters a region. A device without autocast (Vulkan) gives a region that changes nothing.
    pub fn new(device: Device, enabled: bool) -> Self {
        let entered = code(device)
            .and_then(|code| ffi::autocast_enter(code, enabled).ok().map(|before| (code, before)));
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
