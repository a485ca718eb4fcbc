//! What layers and activations do to signals and gradients.

pub(super) mod vanishing;
