//! What runs from part to part.

use std::sync::Arc;

use tch::Tensor;

/// What runs from part to part of a network.
#[derive(Debug)]
pub struct Flow {
    /// Activations. Of pictures, as convolutions have them. Of texts: the ids `[total]` before the first part, then
    /// `[total, D]`, the sequences one after the other; where one position of each is read, the last block gives that
    /// one alone, `[N, D]`
    pub hidden: Tensor,
    /// Where the sequences lie in `hidden`, as they were at the beginning; `None` for pictures
    pub layout: Option<Arc<Layout>>,
}

impl Flow {
    /// Activations without sequences.
    pub fn plain(hidden: Tensor) -> Self {
        Self { hidden, layout: None }
    }

    /// Other activations of the same inputs.
    #[must_use]
    pub fn with(&self, hidden: Tensor) -> Self {
        Self { hidden, layout: self.layout.clone() }
    }
}

/// Where the sequences of a packed batch lie. It is a function of their lengths alone, so activations that were kept
/// can be put together anew: `Layout::new` with their lengths is all that belongs to them.
#[derive(Debug)]
pub struct Layout {
    lengths: Vec<i64>,
}

impl Layout {
    /// Of sequences that lie one after the other.
    pub fn new(lengths: Vec<i64>) -> Self {
        Self { lengths }
    }

    /// Tokens of each sequence.
    pub fn lengths(&self) -> &[i64] {
        &self.lengths
    }

    /// Tokens of all sequences.
    pub fn total(&self) -> i64 {
        self.lengths.iter().sum()
    }
}
