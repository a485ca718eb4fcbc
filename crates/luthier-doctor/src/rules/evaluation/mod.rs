//! How a run is judged.

pub(super) mod no_validation;
pub(super) mod small_validation;
