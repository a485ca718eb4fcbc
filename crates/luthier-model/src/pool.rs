//! What of a text the head reads.

use luthier_recipe::{Arch, Pool};
use tch::{Kind, Tensor};

use crate::layout::index;
use crate::{Layout, ModelError};

/// The architecture's own way.
pub(crate) fn own(arch: Arch) -> Pool {
    match arch {
        Arch::Bert => Pool::Cls,
        _ => Pool::LastToken,
    }
}

/// One token of each sequence.
#[derive(Debug)]
pub(crate) struct Read {
    /// Its row in the packed batch
    pub rows: Vec<usize>,
    /// How many of its sequence's first tokens it sees
    pub visible: Vec<i64>,
}

impl Read {
    /// The tokens that the head reads, in a net where a token sees the tokens before it and, unless it is causal, those
    /// after it. `None` where it reads all of them.
    pub(crate) fn of(pool: Pool, layout: &Layout, causal: bool) -> Option<Self> {
        let lengths = layout.lengths();
        Some(match pool {
            Pool::LastToken => Self { rows: layout.lasts(), visible: lengths.to_vec() },
            Pool::Cls => {
                let visible = if causal { vec![1; lengths.len()] } else { lengths.to_vec() };
                Self { rows: layout.firsts(), visible }
            }
            Pool::Mean => return None,
        })
    }

    /// `[total, D]` to `[N, D]`.
    pub(crate) fn take(&self, hidden: &Tensor) -> Result<Tensor, ModelError> {
        Ok(hidden.f_index_select(0, &index(&self.rows, hidden.device())?)?)
    }
}

/// The mean over the tokens of each sequence: `[total, D]` to `[N, D]`.
pub(crate) fn mean(hidden: &Tensor, layout: &Layout) -> Result<Tensor, ModelError> {
    let (_, width) = hidden.size2()?;
    let count = i64::try_from(layout.lengths().len()).unwrap_or(i64::MAX);
    let device = hidden.device();
    let hidden = hidden.f_to_kind(Kind::Float)?;
    let sums = Tensor::f_zeros([count, width], (Kind::Float, device))?.f_index_add(
        0,
        &index(&layout.owners(), device)?,
        &hidden,
    )?;
    let lengths = Tensor::f_from_slice(layout.lengths())?.f_to_device(device)?;
    Ok(sums.f_div(&lengths.f_to_kind(Kind::Float)?.f_view([-1, 1])?)?)
}
