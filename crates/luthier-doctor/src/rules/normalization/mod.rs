//! Normalisation layers.

pub(super) mod at_output;
pub(super) mod pretrained_batch_norm;
pub(super) mod shared_statistics;
pub(super) mod small_batch;
