//! Normalisation layers.

pub(super) mod pretrained_batch_norm;
pub(super) mod small_batch;
