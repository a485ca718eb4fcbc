//! What pretrained weights need.

pub(super) mod frozen_random;
pub(super) mod head_frozen;
pub(super) mod head_slower;
pub(super) mod preprocessing;
pub(super) mod unmatched;
