//! What layers and activations do to signals and gradients.

pub(super) mod doubled;
pub(super) mod hidden_softmax;
pub(super) mod missing;
pub(super) mod vanishing;
pub(super) mod vanishing_run;
