//! Recipes that cannot be trained as they are.

pub(super) mod refused;
