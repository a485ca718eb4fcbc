//! What the classes of a batch make of it, and whether its embeddings tell them.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::ContrastError;
use crate::checks::{at_least_two, matrix, one_label_each};

/// How many samples of a batch have something to be contrasted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pairs {
    /// Samples that have another of their class: what [`sup_con`](crate::sup_con) is a mean over
    pub with_positive: u64,
    /// Of those, the ones that have a sample of another class, too: what a batch-hard triplet loss is a mean over
    pub with_both: u64,
    /// Each of those with each other of its class: what a semi-hard triplet loss is a mean over
    pub ordered: u64,
}

impl Pairs {
    /// Of a batch with these classes, so many views of each sample.
    pub fn of(labels: &[i64], views: u64) -> Self {
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for label in labels {
            *counts.entry(*label).or_default() += views;
        }
        let several = || counts.values().copied().filter(|count| *count >= 2);
        let with_positive = several().sum();
        let apart = u64::from(counts.len() >= 2);
        let ordered: u64 = several().map(|count| count * (count - 1)).sum();
        Pairs { with_positive, with_both: apart * with_positive, ordered: apart * ordered }
    }
}

/// How many of `[N, d]` on the unit sphere have another of their class nearer than any of another class. A tie is none:
/// embeddings that have collapsed onto one point have no neighbour of their class.
///
/// # Errors
/// Fewer than two samples, a label count that differs.
pub fn nearest_of_class(embeddings: &Tensor, labels: &Tensor) -> Result<u64, ContrastError> {
    let (rows, _) = matrix(embeddings, "embeddings")?;
    at_least_two(rows)?;
    one_label_each(labels, rows)?;
    let similar = embeddings.f_matmul(&embeddings.f_tr()?)?.f_to_kind(Kind::Float)?;
    let same = labels.f_unsqueeze(0)?.f_eq_tensor(&labels.f_unsqueeze(1)?)?;
    let itself = Tensor::f_eye(rows, (Kind::Bool, embeddings.device()))?;
    let best = |hidden: &Tensor| -> Result<Tensor, ContrastError> {
        Ok(similar.f_masked_fill(hidden, f64::NEG_INFINITY)?.f_max_dim(1, false)?.0)
    };
    let own = best(&same.f_logical_not()?.f_logical_or(&itself)?)?;
    let right = own.f_gt_tensor(&best(&same)?)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
    Ok(right.unsigned_abs())
}
