//! Several processes as one group, by libtorch's own means: [`Store`] is how they find each other, [`Group`] what they
//! exchange tensors through, [`Reducer`] the gradient reducer of `DistributedDataParallel`.

mod group;
mod norm;
mod reducer;
mod store;

pub use group::Group;
pub use norm::{NormState, NormsOver, norm_group, norms_over};
pub use reducer::{Reducer, Traffic};
pub use store::Store;

use std::ffi::{CString, c_char};
use std::time::Duration;

use crate::TorchError;
use crate::ffi::taken;

/// As [`taken`], for a call in which other ranks have a part.
fn exchanged(message: *mut c_char) -> Result<(), TorchError> {
    taken(message).map_err(TorchError::between_ranks)
}

fn text(text: &str) -> Result<CString, TorchError> {
    CString::new(text).map_err(|_| TorchError::Torch(format!("`{}` holds a null byte", text.escape_debug())))
}

/// Milliseconds, as libtorch counts timeouts; at least one.
fn millis(timeout: Duration) -> i64 {
    i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX).max(1)
}
