//! What becomes of weights that came from elsewhere.

pub(super) mod forgetting;
pub(super) mod frozen_random;
pub(super) mod head_frozen;
pub(super) mod head_slower;
pub(super) mod lora_scale;
pub(super) mod preprocessing;
pub(super) mod unmatched;
