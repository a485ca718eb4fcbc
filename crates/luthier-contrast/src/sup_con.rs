//! Supervised contrastive loss (Khosla et al. 2020).

use tch::{Kind, Tensor};

use crate::ContrastError;
use crate::checks::{at_least_two, matrix, one_label_each, temperature};
use crate::error::refused;

/// Their L_out over embeddings `[N, d]` on the unit sphere, all views of a batch one below the other, and the class of
/// each: the mean over samples of the mean over others of the same class. Samples that are alone in their class are
/// candidates only.
///
/// # Errors
/// Fewer than two samples, no two of one class, a label count that differs, a temperature that is not above 0.
pub fn sup_con(embeddings: &Tensor, labels: &Tensor, at: f64) -> Result<Tensor, ContrastError> {
    temperature(at)?;
    let (rows, _) = matrix(embeddings, "embeddings")?;
    at_least_two(rows)?;
    one_label_each(labels, rows)?;
    let device = embeddings.device();
    let logits = embeddings.f_matmul(&embeddings.f_tr()?)?.f_to_kind(Kind::Float)?.f_div_scalar(at)?;
    let itself = Tensor::f_eye(rows, (Kind::Bool, device))?;
    let logits = logits.f_masked_fill(&itself, f64::NEG_INFINITY)?;
    let same = labels
        .f_unsqueeze(0)?
        .f_eq_tensor(&labels.f_unsqueeze(1)?)?
        .f_logical_and(&itself.f_logical_not()?)?;
    let positives = same.f_sum_dim_intlist(1, false, Kind::Int64)?;
    let anchors = positives.f_gt(0)?;
    if !anchors.f_any()?.f_to_kind(Kind::Int64)?.f_int64_value(&[]).map(|any| any == 1)? {
        return Err(refused(
            "no two samples of the batch are of one class",
            "take larger batches, or two views of each sample",
        ));
    }
    let log_shares = logits.f_log_softmax(1, Kind::Float)?;
    // its own place holds −∞, and −∞ times 0 is no number
    let log_shares = log_shares.f_masked_fill(&same.f_logical_not()?, 0.0)?;
    let sums = log_shares.f_sum_dim_intlist(1, false, None::<Kind>)?;
    let means = sums.f_div(&positives.f_clamp_min(1)?)?;
    let count = anchors.f_sum(Kind::Float)?;
    Ok(means.f_sum(Kind::Float)?.f_neg()?.f_div(&count)?)
}
