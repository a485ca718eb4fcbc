//! What stands between the layers.

pub(super) mod doubled;
pub(super) mod hidden_softmax;
pub(super) mod missing;
pub(super) mod vanishing;
