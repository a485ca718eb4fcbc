//! What a model is given.

use tch::Tensor;

use crate::ModelError;

/// A batch of inputs.
#[derive(Debug)]
pub enum Input {
    /// `[N, 3, H, W]`, normalised
    Pictures(Tensor),
    /// Rows of a table, fp32 `[N, features]`
    Rows(Tensor),
    /// Texts, as ids of their tokens
    Tokens(Tokens),
}

/// Sequences of token ids, one after the other: there is no padding anywhere.
#[derive(Debug)]
pub struct Tokens {
    /// Ids of all sequences, `[total]`, int64
    pub ids: Tensor,
    /// Number of tokens of each sequence, none of them 0; `total` is their sum
    pub lengths: Vec<i64>,
}

impl Tokens {
    /// Packs sequences that were encoded one by one.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn pack<S: AsRef<[u32]>>(sequences: &[S]) -> Result<Self, ModelError> {
        let ids: Vec<i64> =
            sequences.iter().flat_map(|ids| ids.as_ref().iter().copied().map(i64::from)).collect();
        let lengths = sequences.iter().map(|ids| i64::try_from(ids.as_ref().len()).unwrap_or(i64::MAX));
        Ok(Self { lengths: lengths.collect(), ids: Tensor::f_from_slice(&ids)? })
    }
}

impl Input {
    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Pictures(_) => "pictures",
            Self::Rows(_) => "rows of a table",
            Self::Tokens(_) => "text",
        }
    }
}
