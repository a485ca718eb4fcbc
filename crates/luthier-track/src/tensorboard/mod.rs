//! The TensorBoard event file.

mod frame;
mod listener;
mod proto;

pub use listener::TensorBoard;
