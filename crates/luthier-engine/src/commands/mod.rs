//! One file per command.

pub mod check;
pub mod compare;
pub mod doctor;
mod doctor_probe;
mod doctor_prove;
pub mod eval;
mod eval_probe;
pub mod export;
pub mod optimizer;
pub mod predict;
mod rows;
mod texts;
pub mod train;
