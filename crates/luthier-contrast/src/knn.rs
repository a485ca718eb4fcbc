//! Weighted nearest neighbours (Wu et al. 2018): what embeddings say about classes without anything trained.

use tch::{Kind, Tensor};

use crate::checks::{at_least_two, one_label_each, temperature};
use crate::error::refused;
use crate::kmeans::blocks;
use crate::{ContrastError, Rows};

/// Queries that are answered at once.
const QUERIES: i64 = 1024;

/// Numbers of a block of the bank: 8 MB.
const NUMBERS: i64 = 1 << 21;

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
/// the unit sphere. Both are read block by block: memory is the same for any number of them.
///
/// # Errors
/// Shapes that do not go together, a class beyond `classes`, no neighbours, rows that cannot be read.
pub fn knn_classes(
    queries: &dyn Rows,
    bank: &dyn Rows,
    bank_labels: &Tensor,
    classes: i64,
    knn: Knn,
) -> Result<Tensor, ContrastError> {
    temperature(knn.temperature)?;
    let (members, width) = (bank.rows(), bank.width());
    if width < 1 || queries.width() != width {
        return Err(refused(
            format!("queries are rows of {} numbers, the bank's of {width}", queries.width()),
            "embed both by one network",
        ));
    }
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
        let mut found = Vec::new();
        for (first, count) in blocks(queries.rows(), QUERIES) {
            let (best, labels) = nearest(&queries.block(first, count)?, bank, bank_labels, knn.k)?;
            let votes = best.f_div_scalar(knn.temperature)?.f_exp()?;
            let sums = Tensor::f_zeros([count, classes], (Kind::Float, queries.device()))?;
            found.push(sums.f_scatter_add(1, &labels, &votes)?.f_argmax(1, false)?);
        }
        match found.is_empty() {
            true => Ok(Tensor::f_zeros([0], (Kind::Int64, queries.device()))?),
            false => Ok(Tensor::f_cat(&found, 0)?),
        }
    })
}

/// The `k` most similar rows of the bank for every query, or all of them: similarities and classes, `[N, k]` each.
fn nearest(
    queries: &Tensor,
    bank: &dyn Rows,
    bank_labels: &Tensor,
    k: i64,
) -> Result<(Tensor, Tensor), ContrastError> {
    let nobody = |kind| Tensor::f_zeros([queries.size()[0], 0], (kind, queries.device()));
    let (mut best, mut labels) = (nobody(Kind::Float)?, nobody(Kind::Int64)?);
    for (first, count) in blocks(bank.rows(), NUMBERS / bank.width()) {
        let similarities = queries.f_matmul(&bank.block(first, count)?.f_tr()?)?.f_to_kind(Kind::Float)?;
        let (own, which) = similarities.f_topk(k.min(count), 1, true, false)?;
        let block = bank_labels.f_narrow(0, first, count)?;
        let own_labels = block.f_index_select(0, &which.f_flatten(0, -1)?)?.f_view_as(&which)?;
        if best.size()[1] == 0 {
            (best, labels) = (own, own_labels);
            continue;
        }
        let all = Tensor::f_cat(&[best, own], 1)?;
        let (top, which) = all.f_topk(k.min(all.size()[1]), 1, true, false)?;
        (best, labels) = (top, Tensor::f_cat(&[labels, own_labels], 1)?.f_gather(1, &which, false)?);
    }
    Ok((best, labels))
}

/// Share of queries whose class the vote finds.
///
/// # Errors
/// As [`knn_classes`]; no queries.
pub fn knn_accuracy(
    queries: &dyn Rows,
    labels: &Tensor,
    bank: &dyn Rows,
    bank_labels: &Tensor,
    classes: i64,
    knn: Knn,
) -> Result<f64, ContrastError> {
    let rows = queries.rows();
    one_label_each(labels, rows)?;
    if rows == 0 {
        return Err(refused("no queries, no accuracy", "give samples of a labelled set"));
    }
    let hits = knn_classes(queries, bank, bank_labels, classes, knn)?.f_eq_tensor(labels)?;
    Ok(hits.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?.f_double_value(&[])?)
}
