//! What becomes of weights that came from elsewhere.

pub(super) mod forgetting;
pub(super) mod frozen_random;
pub(super) mod head_frozen;
pub(super) mod head_slower;
pub(super) mod head_starved;
pub(super) mod heads_swapped;
pub(super) mod lora_idle;
pub(super) mod lora_scale;
pub(super) mod lora_untrained;
pub(super) mod preprocessing;
pub(super) mod replay_forgotten;
pub(super) mod unmatched;
