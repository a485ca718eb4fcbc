//! Finders: a learning rate, a batch size, and one batch learned by heart, each as a curve with its numbers.

mod batch;
mod lr;
mod memory;
mod overfit;

pub use batch::{BatchCurve, BatchLimits, BatchPoint, find_batch};
pub use lr::{LrCurve, find_lr};
pub use overfit::{Overfit, overfit_one_batch};
