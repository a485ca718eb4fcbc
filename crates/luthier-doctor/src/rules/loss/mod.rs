//! What is minimised, and how it goes.

pub(super) mod bce_targets;
pub(super) mod by_turns;
pub(super) mod class_weight_zero;
pub(super) mod class_weights_inverted;
pub(super) mod flat;
pub(super) mod gone_off;
pub(super) mod mse_for_classes;
pub(super) mod not_finite;
pub(super) mod smoothing;
pub(super) mod streams_apart;
pub(super) mod sum_reduction;
pub(super) mod tasks_conflict;
