//! Weighted nearest neighbours (Wu et al. 2018): what embeddings say about classes without anything trained.

use tch::{Kind, Tensor};

use crate::ContrastError;
use crate::checks::{at_least_two, matrix, one_label_each, shaped, temperature};
use crate::error::refused;

/// Queries whose similarities are computed at once are as many as make about this many numbers: 64 MB.
const SIMILARITIES: i64 = 1 << 24;

/// Numbers of the vote; the default is Wu et al.'s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knn {
    /// Neighbours that vote; all rows if there are fewer
    pub k: i64,
    /// A neighbour's vote is exp(similarity / temperature)
    pub temperature: f64,
}

impl Default for Knn {
    fn default() -> Self {
        Knn { k: 200, temperature: 0.07 }
    }
}

/// The class of every query `[N, d]` by the votes of its neighbours in `bank` `[M, d]` with their classes; all rows on
/// the unit sphere.
///
/// # Errors
/// Shapes that do not go together, a class beyond `classes`, no neighbours.
pub fn knn_classes(
    queries: &Tensor,
    bank: &Tensor,
    bank_labels: &Tensor,
    classes: i64,
    knn: Knn,
) -> Result<Tensor, ContrastError> {
    temperature(knn.temperature)?;
    let (members, width) = matrix(bank, "the bank's embeddings")?;
    shaped(queries, "queries", None, width)?;
    at_least_two(members)?;
    one_label_each(bank_labels, members)?;
    if knn.k < 1 {
        return Err(refused(format!("{} neighbours have no vote", knn.k), "200 is usual"));
    }
    let outside = bank_labels.f_lt(0)?.f_logical_or(&bank_labels.f_ge(classes)?)?;
    if outside.f_any()?.f_to_kind(Kind::Int64)?.f_int64_value(&[])? == 1 {
        return Err(refused(
            format!("a label is not one of {classes} classes"),
            "count the classes of the bank",
        ));
    }
    tch::no_grad(|| {
        let rows = queries.size()[0];
        let block = (SIMILARITIES / members).max(1);
        let bank = bank.f_tr()?;
        let mut found = Vec::new();
        for first in (0..rows).step_by(block as usize) {
            let part = queries.f_narrow(0, first, block.min(rows - first))?;
            let similarities = part.f_matmul(&bank)?.f_to_kind(Kind::Float)?;
            let (best, which) = similarities.f_topk(knn.k.min(members), 1, true, false)?;
            let votes = best.f_div_scalar(knn.temperature)?.f_exp()?;
            let labels = bank_labels.f_index_select(0, &which.f_flatten(0, -1)?)?.f_view_as(&which)?;
            let sums = Tensor::f_zeros([part.size()[0], classes], (Kind::Float, part.device()))?;
            found.push(sums.f_scatter_add(1, &labels, &votes)?.f_argmax(1, false)?);
        }
        match found.is_empty() {
            true => Ok(Tensor::f_zeros([0], (Kind::Int64, queries.device()))?),
            false => Ok(Tensor::f_cat(&found, 0)?),
        }
    })
}

/// Share of queries whose class the vote finds.
///
/// # Errors
/// As [`knn_classes`]; no queries.
pub fn knn_accuracy(
    queries: &Tensor,
    labels: &Tensor,
    bank: &Tensor,
    bank_labels: &Tensor,
    classes: i64,
    knn: Knn,
) -> Result<f64, ContrastError> {
    let (rows, _) = matrix(queries, "queries")?;
    one_label_each(labels, rows)?;
    if rows == 0 {
        return Err(refused("no queries, no accuracy", "give samples of a labelled set"));
    }
    let hits = knn_classes(queries, bank, bank_labels, classes, knn)?.f_eq_tensor(labels)?;
    Ok(hits.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?.f_double_value(&[])?)
}
