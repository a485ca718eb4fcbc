//! Data sets, transforms, samplers and the loader. Knows no tensors.

pub mod picture;
pub mod scenes;

pub use picture::{Limits, Picture, PictureError};
