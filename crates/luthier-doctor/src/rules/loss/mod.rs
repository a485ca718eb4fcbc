//! What is minimised, and how it goes.

pub(super) mod flat;
pub(super) mod gone_off;
pub(super) mod not_finite;
