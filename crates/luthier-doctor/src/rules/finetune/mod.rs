//! What becomes of weights that came from elsewhere.

pub(super) mod forgetting;
