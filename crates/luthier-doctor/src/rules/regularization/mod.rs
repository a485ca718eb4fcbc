//! What keeps a model from learning by heart.

pub(super) mod dropout;
pub(super) mod overfit;
pub(super) mod too_much;
