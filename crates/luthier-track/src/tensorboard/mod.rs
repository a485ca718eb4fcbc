//! The TensorBoard event file.

mod frame;
mod listener;
mod proto;
mod read;

pub use listener::TensorBoard;
pub use read::{Curve, Point, Scalars, has_events, read_scalars};
