//! The loop: batches, accumulation, clipping.

pub(super) mod accumulation_tail;
pub(super) mod average_slow;
pub(super) mod batch_scaling;
pub(super) mod clip;
