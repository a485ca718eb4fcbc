//! What the last layer gives, beside what is asked of it.

pub(super) mod double_activation;
pub(super) mod logits_as_probabilities;
pub(super) mod mismatched_pair;
pub(super) mod output_range;
pub(super) mod output_width;
pub(super) mod softmax_one_output;
