//! The loop itself: its end, its steps.

pub(super) mod interrupted;
pub(super) mod not_repeatable;
