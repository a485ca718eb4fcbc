//! How the learning rate changes over the run.

pub(super) mod scheduler_unit;
pub(super) mod spent_early;
