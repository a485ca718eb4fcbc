//! How the learning rate changes over the run.

pub(super) mod early_stopping;
pub(super) mod gone;
pub(super) mod length;
pub(super) mod plateau;
pub(super) mod plateau_hasty;
pub(super) mod scheduler_unit;
pub(super) mod spent_early;
pub(super) mod warmup;
