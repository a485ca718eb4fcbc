//! One file per command.

pub mod check;
pub mod compare;
#[expect(dead_code, reason = "the body of `doctor --probe`, which is wired with `doctor`")]
pub mod doctor_probe;
pub mod eval;
pub mod export;
pub mod predict;
mod rows;
mod texts;
pub mod train;
