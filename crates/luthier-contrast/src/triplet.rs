//! Triplet loss with batch-hard mining (Hermans, Beyer & Leibe 2017).

use tch::{Kind, Tensor};

use crate::ContrastError;
use crate::checks::{at_least_two, matrix, one_label_each};
use crate::error::refused;

/// What keeps positives and negatives apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Margin {
    /// max(0, margin + d⁺ − d⁻)
    Hinge(f64),
    /// ln(1 + exp(d⁺ − d⁻)): no triplet is ever far enough apart
    Soft,
}

/// A triplet loss and how hard the batch was.
#[derive(Debug)]
pub struct Triplets {
    /// Mean over the samples that have a positive and a negative, a scalar with its graph
    pub loss: Tensor,
    /// Share of those whose hardest negative is closer than their hardest positive plus the margin
    pub active: f64,
    /// Mean distance of the hardest positives
    pub positive: f64,
    /// Mean distance of the hardest negatives
    pub negative: f64,
}

/// For every sample of `[N, d]`, the farthest of its own class against the nearest of another, by Euclidean distance.
///
/// # Errors
/// Fewer than two samples, no sample with both a positive and a negative, a negative margin.
pub fn batch_hard_triplet(
    embeddings: &Tensor,
    labels: &Tensor,
    margin: Margin,
) -> Result<Triplets, ContrastError> {
    let (rows, _) = matrix(embeddings, "embeddings")?;
    at_least_two(rows)?;
    one_label_each(labels, rows)?;
    if let Margin::Hinge(margin) = margin
        && !(margin.is_finite() && margin >= 0.0)
    {
        return Err(refused(format!("a margin of {margin} asks for nothing"), "0.2 to 1 are usual"));
    }
    let embeddings = embeddings.f_to_kind(Kind::Float)?;
    let squares = embeddings.f_square()?.f_sum_dim_intlist(1, true, None::<Kind>)?;
    let products = embeddings.f_matmul(&embeddings.f_tr()?)?;
    let squared = squares.f_add(&squares.f_tr()?)?.f_sub(&products.f_mul_scalar(2.0)?)?;
    // the root has no slope at 0
    let distances = squared.f_clamp_min(1e-12)?.f_sqrt()?;
    let same = labels.f_unsqueeze(0)?.f_eq_tensor(&labels.f_unsqueeze(1)?)?;
    let itself = Tensor::f_eye(rows, (Kind::Bool, embeddings.device()))?;
    let positives = same.f_logical_and(&itself.f_logical_not()?)?;
    let usable = positives.f_any_dim(1, false)?.f_logical_and(&same.f_logical_not()?.f_any_dim(1, false)?)?;
    let which = usable.f_nonzero()?.f_squeeze_dim(1)?;
    if which.numel() == 0 {
        return Err(refused(
            "no sample of the batch has both another of its class and one of another class",
            "draw batches of several classes with several samples each",
        ));
    }
    let pick = |all: &Tensor| all.f_index_select(0, &which);
    let hardest =
        |mask: &Tensor, fill: f64| pick(&distances)?.f_masked_fill(&pick(mask)?.f_logical_not()?, fill);
    let (positive, _) = hardest(&positives, f64::NEG_INFINITY)?.f_max_dim(1, false)?;
    let (negative, _) = hardest(&same.f_logical_not()?, f64::INFINITY)?.f_min_dim(1, false)?;
    let gap = positive.f_sub(&negative)?;
    let (terms, wanted) = match margin {
        Margin::Hinge(margin) => (gap.f_add_scalar(margin)?.f_relu()?, margin),
        Margin::Soft => (gap.f_softplus()?, 0.0),
    };
    let mean = |tensor: &Tensor| tensor.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?.f_double_value(&[]);
    Ok(Triplets {
        loss: terms.f_mean(Kind::Float)?,
        active: mean(&gap.f_gt(-wanted)?)?,
        positive: mean(&positive)?,
        negative: mean(&negative)?,
    })
}
