//! Everything that will happen, as data, and everything that happens, as events.
//!
//! A [`Plan`] is decided before step 1 and can be printed; nothing downstream decides anything that the plan could
//! have decided. A session that runs a plan emits [`Event`]s; [`Listener`]s turn them into files, pictures and a
//! progress bar. Neither knows a tensor, so the rooms that draw and report do not load libtorch.

pub mod contrast;
mod error;
mod event;
pub mod float;
pub mod groups;
mod look;
mod lora;
mod pattern;
mod plan;
mod resolve;
mod samples;
pub mod schedule;
pub mod stages;
pub mod streams;
mod table;
pub mod watch;
pub mod weighting;
mod world;

pub use contrast::ContrastPlan;
pub use error::PlanError;
pub use event::*;
pub use look::*;
pub use lora::*;
pub use pattern::Patterns;
pub use plan::*;
pub use resolve::{Machine, length, resolve};
pub use samples::{Sample, Samples};
pub use schedule::Plateau;
pub use table::*;
pub use watch::Watch;
pub use weighting::WeightingPlan;
pub use world::{World, WorldError};
