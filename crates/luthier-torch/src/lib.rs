//! What libtorch has and tch lacks; the one crate with C++ and unsafe.
//!
//! - [`autocast_to`]: bf16 and fp16 regions on the CPU, CUDA and MPS (tch switches CUDA's only);
//! - [`channels_last`] and [`view_at`]: memory formats;
//! - [`set_grad`], [`set_data`]: what a parameter and its gradient stand on;
//! - [`dropout`]: a mask that all threads draw;
//! - [`fused_sgd`], [`fused_adam`], [`fused_lamb`], [`fused_lars`], [`norm`], [`scale`], [`lerp`]: libtorch's kernels over
//!   lists of tensors;
//! - [`norms`], [`Kept`]: norms of every tensor and of its change, in one pass over memory;
//! - [`PackedLinear`]: frozen weights in the order in which oneDNN reads them;
//! - [`FlatBuffer`]: all parameters of an optimizer group in one contiguous tensor;
//! - [`nearest`], [`cluster_sums`]: what k-means does besides products;
//! - [`Store`], [`Group`], [`Reducer`]: several processes as one, and their gradients summed;
//! - [`parse_device`], [`bf16_is_fast`], thread counts;
//! - [`TorchError`]: libtorch's exceptions as one sentence, without the C++ backtrace.
//!
//! What runs on CUDA and MPS here is written but untested: no such device was at hand.

mod autocast;
#[expect(unsafe_code, reason = "a slice over a tensor's memory")]
mod bytes;
mod device;
#[expect(unsafe_code, reason = "as `ffi`, for masks")]
mod dropout;
mod error;
#[expect(unsafe_code, reason = "the one door to C++; every function behind it is safe to call")]
mod ffi;
mod flat;
#[expect(unsafe_code, reason = "as `ffi`, for the optimizer kernels")]
mod fused;
mod grad;
#[expect(unsafe_code, reason = "as `fused`")]
mod layerwise;
mod layout;
#[expect(unsafe_code, reason = "as `ffi`, for slices")]
mod nearest;
#[expect(unsafe_code, reason = "as `fused`")]
mod norms;
#[expect(unsafe_code, reason = "as `ffi`, for linear layers")]
mod packed;
#[expect(unsafe_code, reason = "as `ffi`, for process groups")]
mod ranks;
mod seed;
mod threads;

pub use autocast::{AutocastGuard, Half, autocast, autocast_enabled, autocast_format, autocast_to};
pub use bytes::bytes_of;
pub use device::{bf16_is_fast, fp16_is_native, int8_is_fast, parse_device};
pub use dropout::dropout;
pub use error::TorchError;
pub use flat::{FlatBuffer, Slot};
pub use fused::{AdamStep, SgdStep, fused_adam, fused_sgd, lerp, norm, scale};
pub use grad::{clear_grad, grad, set_data, set_grad};
pub use layerwise::{LambStep, LarsStep, fused_lamb, fused_lars};
pub use layout::{MemoryFormat, channels_last, view_at};
pub use nearest::{Looked, Moved, Nearest, Rough, Whole, cluster_sums, nearest, quantise};
pub use norms::{Kept, norms};
pub use packed::{PackedLinear, Then};
pub use ranks::{Group, NormState, NormsOver, Reducer, Store, Traffic, norm_group, norms_over};
pub use seed::{Draws, manual_seed};
pub use threads::{interop_threads, loop_threads, set_interop_threads, set_threads, threads};

/// The version of libtorch that the bindings are made for.
pub const VERSION: &str = "2.13.0";
