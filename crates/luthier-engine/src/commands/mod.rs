//! One file per command.

pub mod check;
pub mod compare;
pub mod eval;
pub mod export;
pub mod predict;
mod rows;
mod texts;
pub mod train;
