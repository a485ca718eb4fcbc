//! Layers: thin over libtorch's functions, one file each.

pub(crate) mod conv;
mod linear;
mod norm;

pub use conv::{Conv2d, Padding};
pub use linear::Linear;
pub use norm::BatchNorm2d;
