//! Layers: thin over libtorch's functions, one file each.

mod activation;
pub(crate) mod attention;
pub(crate) mod conv;
mod embedding;
mod frozen;
mod layer_norm;
mod linear;
mod norm;

pub use activation::Activation;
pub use conv::{Conv2d, Padding};
pub use embedding::Embedding;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub(crate) use linear::{Affine, Outputs, parts};
pub use norm::BatchNorm2d;
