//! InfoNCE as in MoCo (He et al. 2020; van den Oord et al. 2018).

use tch::{Kind, Reduction, Tensor};

use crate::ContrastError;
use crate::checks::{at_least_two, matrix, shaped, temperature};

/// An objective and what its accuracies are counted on.
#[derive(Debug)]
pub struct Contrast {
    /// Mean over the batch, a scalar with its graph
    pub loss: Tensor,
    /// `[N, candidates]` fp32, divided by the temperature
    pub logits: Tensor,
    /// `[N]`: which candidate is the right one
    pub labels: Tensor,
}

/// What each query's own key is told from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negatives {
    /// The keys of earlier batches (MoCo)
    Queue,
    /// Those, and the batch's other keys (as SimCLR's and MoCo v3's): with the queue alone a key can be told by its age
    QueueAndBatch,
}

/// InfoNCE of queries and their keys `[N, d]` against the keys of earlier batches `[K, d]`, all on the unit sphere.
/// Candidate 0 of each query is its own key; behind the queue's come, where they are asked for, the batch's, of which the
/// own one is out of the question the second time. Keys and queue get no gradient.
///
/// # Errors
/// Shapes that do not go together, one query alone without a queue's worth of negatives, a temperature that is not above 0.
pub fn info_nce(
    queries: &Tensor,
    keys: &Tensor,
    queue: &Tensor,
    negatives: Negatives,
    at: f64,
) -> Result<Contrast, ContrastError> {
    temperature(at)?;
    let (rows, width) = matrix(queries, "queries")?;
    shaped(keys, "keys", Some(rows), width)?;
    shaped(queue, "the queue's keys", None, width)?;
    at_least_two(rows)?;
    let keys = keys.f_detach()?;
    let own = (queries * &keys).f_sum_dim_intlist(1, true, None::<Kind>)?;
    let others = queries.f_matmul(&queue.f_detach()?.f_to_kind(queries.kind())?.f_tr()?)?;
    // under autocast the products are half precision: the division and the sum of exponentials are not
    let mut parts = vec![own.f_to_kind(Kind::Float)?, others.f_to_kind(Kind::Float)?];
    if negatives == Negatives::QueueAndBatch {
        let beside = queries.f_matmul(&keys.f_to_kind(queries.kind())?.f_tr()?)?.f_to_kind(Kind::Float)?;
        let own = Tensor::f_eye(rows, (Kind::Bool, queries.device()))?;
        parts.push(beside.f_masked_fill(&own, f64::NEG_INFINITY)?);
    }
    let logits = Tensor::f_cat(&parts, 1)?.f_div_scalar(at)?;
    let labels = Tensor::f_zeros([rows], (Kind::Int64, queries.device()))?;
    let loss = logits.f_cross_entropy_loss(&labels, None::<Tensor>, Reduction::Mean, -100, 0.0)?;
    Ok(Contrast { loss, logits, labels })
}

/// Share of rows in which fewer than `k` candidates are as good as the right one. A tie counts against it, and so does
/// what is not a number: embeddings that have collapsed onto one point have an accuracy of 0, not of 1.
///
/// # Errors
/// Shapes that do not go together.
pub fn top_k(logits: &Tensor, labels: &Tensor, k: i64) -> Result<f64, ContrastError> {
    let own = logits.f_gather(1, &labels.f_unsqueeze(1)?, false)?;
    // what is less beats it, so that a comparison with NaN says no; its own place says no as well, once
    let beaten = logits.f_less_tensor(&own)?.f_sum_dim_intlist(1, false, Kind::Int64)?;
    let not_beaten = (-beaten).f_add_scalar(logits.size()[1] - 1)?;
    let hits = not_beaten.f_less(k)?.f_logical_and(&own.f_squeeze_dim(1)?.f_isfinite()?)?;
    Ok(hits.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?.f_double_value(&[])?)
}
