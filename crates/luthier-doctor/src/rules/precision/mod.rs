//! Number formats of 16 bits.

pub(super) mod scale_fell;
pub(super) mod scale_too_small;
