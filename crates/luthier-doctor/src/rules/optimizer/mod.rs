//! How weights are updated.

pub(super) mod curvature;
pub(super) mod decay;
pub(super) mod eps;
pub(super) mod l2_in_adam;
pub(super) mod lr_pretrained;
pub(super) mod lr_scratch;
pub(super) mod too_few_updates;
