//! The loop: batches, accumulation, clipping.

pub(super) mod accumulation_tail;
pub(super) mod batch_scaling;
pub(super) mod clip;
