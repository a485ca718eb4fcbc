//! Triplet loss over a batch, the triplets mined in it: batch-hard (Hermans, Beyer & Leibe 2017) or semi-hard (Schroff,
//! Kalenichenko & Philbin 2015).

use tch::{Kind, Tensor};

use crate::ContrastError;
use crate::checks::{at_least_two, matrix, one_label_each};
use crate::error::refused;
use crate::geometry::normalize;

/// What keeps positives and negatives apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Margin {
    /// max(0, margin + d⁺ − d⁻)
    Hinge(f64),
    /// ln(1 + exp(d⁺ − d⁻)): no triplet is ever far enough apart
    Soft,
}

/// Which triplets of a batch are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mining {
    /// For every sample, the farthest of its own class against the nearest of another
    BatchHard,
    /// For every two samples of a class, the nearest of another class that is farther than the second; where there is
    /// none, the farthest
    SemiHard,
}

/// How far two embeddings are from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// √Σ(x − y)²
    Euclidean,
    /// Σ(x − y)²
    SquaredEuclidean,
    /// 1 − cos, whatever their lengths
    Cosine,
}

/// A triplet loss as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TripletLoss {
    /// What keeps positives and negatives apart
    pub margin: Margin,
    /// Which triplets
    pub mining: Mining,
    /// By which distance
    pub distance: Distance,
}

/// A triplet loss and how hard the batch was.
#[derive(Debug)]
pub struct Triplets {
    /// Mean over the triplets, a scalar with its graph
    pub loss: Tensor,
    /// How many: samples that have a positive and a negative, or, semi-hard, their pairs with each positive
    pub count: u64,
    /// Share of those whose negative is closer than their positive plus the margin
    pub active: f64,
    /// Mean distance of their positives
    pub positive: f64,
    /// Mean distance of their negatives
    pub negative: f64,
}

/// The batch-hard loss of `[N, d]` by Euclidean distance: see [`triplet`].
///
/// # Errors
/// As [`triplet`].
pub fn batch_hard_triplet(
    embeddings: &Tensor,
    labels: &Tensor,
    margin: Margin,
) -> Result<Triplets, ContrastError> {
    let asked = TripletLoss { margin, mining: Mining::BatchHard, distance: Distance::Euclidean };
    triplet(embeddings, labels, &asked)
}

/// The triplet loss of embeddings `[N, d]` of these classes `[N]`.
///
/// # Errors
/// Fewer than two samples, no sample with both a positive and a negative, a negative margin.
pub fn triplet(embeddings: &Tensor, labels: &Tensor, asked: &TripletLoss) -> Result<Triplets, ContrastError> {
    let (rows, _) = matrix(embeddings, "embeddings")?;
    at_least_two(rows)?;
    one_label_each(labels, rows)?;
    if let Margin::Hinge(margin) = asked.margin
        && !(margin.is_finite() && margin >= 0.0)
    {
        return Err(refused(format!("a margin of {margin} asks for nothing"), "0.2 to 1 are usual"));
    }
    let all = Batch {
        distances: distances(&embeddings.f_to_kind(Kind::Float)?, asked.distance)?,
        same: labels.f_unsqueeze(0)?.f_eq_tensor(&labels.f_unsqueeze(1)?)?,
        itself: Tensor::f_eye(rows, (Kind::Bool, embeddings.device()))?,
    };
    let (positive, negative) = match asked.mining {
        Mining::BatchHard => all.hardest()?,
        Mining::SemiHard => all.semi_hard()?,
    };
    let gap = positive.f_sub(&negative)?;
    let (terms, wanted) = match asked.margin {
        Margin::Hinge(margin) => (gap.f_add_scalar(margin)?.f_relu()?, margin),
        Margin::Soft => (gap.f_softplus()?, 0.0),
    };
    let mean = |tensor: &Tensor| tensor.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?.f_double_value(&[]);
    Ok(Triplets {
        loss: terms.f_mean(Kind::Float)?,
        count: terms.numel() as u64,
        active: mean(&gap.f_gt(-wanted)?)?,
        positive: mean(&positive)?,
        negative: mean(&negative)?,
    })
}

/// Every distance of a batch, `[N, N]`.
fn distances(embeddings: &Tensor, distance: Distance) -> Result<Tensor, ContrastError> {
    if distance == Distance::Cosine {
        let unit = normalize(embeddings)?;
        return Ok(unit.f_matmul(&unit.f_tr()?)?.f_neg()?.f_add_scalar(1.0)?);
    }
    let squares = embeddings.f_square()?.f_sum_dim_intlist(1, true, None::<Kind>)?;
    let products = embeddings.f_matmul(&embeddings.f_tr()?)?;
    let squared = squares.f_add(&squares.f_tr()?)?.f_sub(&products.f_mul_scalar(2.0)?)?;
    Ok(match distance {
        // the root has no slope at 0
        Distance::Euclidean => squared.f_clamp_min(1e-12)?.f_sqrt()?,
        _ => squared.f_clamp_min(0.0)?,
    })
}

/// A batch, each sample against each: `[N, N]`.
struct Batch {
    distances: Tensor,
    /// Two of one class
    same: Tensor,
    /// The diagonal
    itself: Tensor,
}

impl Batch {
    fn positives(&self) -> Result<Tensor, ContrastError> {
        Ok(self.same.f_logical_and(&self.itself.f_logical_not()?)?)
    }

    fn negatives(&self) -> Result<Tensor, ContrastError> {
        Ok(self.same.f_logical_not()?)
    }

    /// Distances of the hardest positive and the hardest negative of every sample that has both.
    fn hardest(&self) -> Result<(Tensor, Tensor), ContrastError> {
        let (positives, negatives) = (self.positives()?, self.negatives()?);
        let usable = positives.f_any_dim(1, false)?.f_logical_and(&negatives.f_any_dim(1, false)?)?;
        let which = usable.f_nonzero()?.f_squeeze_dim(1)?;
        some(&which)?;
        let pick = |all: &Tensor| all.f_index_select(0, &which);
        let of = |mask: &Tensor, fill: f64| {
            pick(&self.distances)?.f_masked_fill(&pick(mask)?.f_logical_not()?, fill)
        };
        let (positive, _) = of(&positives, f64::NEG_INFINITY)?.f_max_dim(1, false)?;
        let (negative, _) = of(&negatives, f64::INFINITY)?.f_min_dim(1, false)?;
        Ok((positive, negative))
    }

    /// Distances of every two of a class, and of the semi-hard negative of each.
    fn semi_hard(&self) -> Result<(Tensor, Tensor), ContrastError> {
        let negatives = self.negatives()?;
        let pairs = self.positives()?.f_logical_and(&negatives.f_any_dim(1, true)?)?;
        let pairs = pairs.f_nonzero()?;
        some(&pairs)?;
        let (anchors, others) = (pairs.f_select(1, 0)?, pairs.f_select(1, 1)?);
        let rows = self.distances.f_index_select(0, &anchors)?;
        let negatives = negatives.f_index_select(0, &anchors)?;
        let positive = rows.f_gather(1, &others.f_unsqueeze(1)?, false)?;
        let farther = rows.f_gt_tensor(&positive)?.f_logical_and(&negatives)?;
        let (nearest, _) =
            rows.f_masked_fill(&farther.f_logical_not()?, f64::INFINITY)?.f_min_dim(1, false)?;
        let (farthest, _) =
            rows.f_masked_fill(&negatives.f_logical_not()?, f64::NEG_INFINITY)?.f_max_dim(1, false)?;
        let negative = nearest.f_where_self(&farther.f_any_dim(1, false)?, &farthest)?;
        Ok((positive.f_squeeze_dim(1)?, negative))
    }
}

fn some(which: &Tensor) -> Result<(), ContrastError> {
    if which.numel() > 0 {
        return Ok(());
    }
    Err(refused(
        "no sample of the batch has both another of its class and one of another class",
        "draw batches of several classes with several samples each",
    ))
}
