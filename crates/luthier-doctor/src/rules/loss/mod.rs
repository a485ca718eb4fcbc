//! What is minimised.

pub(super) mod bce_targets;
pub(super) mod class_weights_inverted;
pub(super) mod mse_for_classes;
pub(super) mod sum_reduction;
