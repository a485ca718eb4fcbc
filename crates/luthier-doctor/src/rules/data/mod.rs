//! What goes into the network.

pub(super) mod bad_input;
pub(super) mod odd_batch;
