//! What keeps a model from learning by heart.

pub(super) mod overfit;
