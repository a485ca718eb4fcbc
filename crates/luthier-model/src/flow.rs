//! What runs from part to part.

use std::sync::Arc;

use tch::Tensor;

use crate::Layout;

/// What runs from part to part of a network.
#[derive(Debug)]
pub struct Flow {
    /// Activations. Of pictures, as convolutions have them, and what is left of them after the last block, `[N, C]`. Of
    /// texts: the ids `[total]` before the first part, then `[total, D]`, the sequences one after the other; where the
    /// head reads one position of each, the last block gives that one alone, `[N, D]`
    pub hidden: Tensor,
    /// Where the sequences lie in `hidden`, or lay at the beginning; `None` for pictures
    pub layout: Option<Arc<Layout>>,
}

impl Flow {
    /// Activations without sequences.
    pub fn plain(hidden: Tensor) -> Self {
        Self { hidden, layout: None }
    }

    /// Activations of sequences of these lengths.
    pub fn packed(hidden: Tensor, lengths: Vec<i64>) -> Self {
        Self { hidden, layout: Some(Arc::new(Layout::new(lengths))) }
    }

    /// Other activations of the same inputs.
    #[must_use]
    pub fn with(&self, hidden: Tensor) -> Self {
        Self { hidden, layout: self.layout.clone() }
    }
}
