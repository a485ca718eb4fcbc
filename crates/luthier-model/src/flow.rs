//! What runs from part to part.

use std::sync::Arc;

use tch::Tensor;

use crate::layout::index;
use crate::{Layout, ModelError};

/// What runs from part to part of a network.
#[derive(Debug)]
pub struct Flow {
    /// Activations. Of pictures, as convolutions have them, and what is left of them after the last block, `[N, C]`. Of
    /// texts: the ids `[total]` before the first part, then `[total, D]`, the sequences one after the other; where the
    /// head reads one position of each, the last block gives that one alone, `[N, D]`
    pub hidden: Tensor,
    /// Where the sequences lie in `hidden`, or lay at the beginning; `None` for pictures
    pub layout: Option<Arc<Layout>>,
    /// Of several heads those that are wanted, by index, in this order; `None` for all
    pub heads: Option<Arc<[usize]>>,
}

impl Flow {
    /// Activations without sequences.
    pub fn plain(hidden: Tensor) -> Self {
        Self { hidden, layout: None, heads: None }
    }

    /// Activations of sequences of these lengths.
    pub fn packed(hidden: Tensor, lengths: Vec<i64>) -> Self {
        Self { hidden, layout: Some(Arc::new(Layout::new(lengths))), heads: None }
    }

    /// As it is, but every token of a text on a row of its own.
    pub(crate) fn apart(self) -> Result<Self, ModelError> {
        let Some((rows, layout)) = self.layout.as_deref().and_then(Layout::apart) else { return Ok(self) };
        let hidden = self.hidden.f_index_select(0, &index(rows, self.hidden.device())?)?;
        Ok(Self { hidden, layout: Some(Arc::clone(layout)), heads: self.heads })
    }

    /// One row for each text.
    pub(crate) fn pooled(&self, hidden: Tensor) -> Self {
        let layout = self.layout.as_ref();
        let layout = layout.map(|layout| layout.apart().map_or(layout, |(_, apart)| apart));
        Self { hidden, layout: layout.cloned(), heads: self.heads.clone() }
    }

    /// Other activations of the same inputs.
    #[must_use]
    pub fn with(&self, hidden: Tensor) -> Self {
        Self { hidden, layout: self.layout.clone(), heads: self.heads.clone() }
    }
}
