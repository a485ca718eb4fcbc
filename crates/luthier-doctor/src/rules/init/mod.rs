//! How weights start.

pub(super) mod bias;
pub(super) mod scale;
pub(super) mod symmetric;
