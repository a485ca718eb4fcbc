//! What is to be learned.

pub(super) mod few_samples;
pub(super) mod imbalance;
