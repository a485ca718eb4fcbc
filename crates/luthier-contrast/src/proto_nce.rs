//! ProtoNCE: samples against the prototypes of their clusters (Li et al., Prototypical Contrastive Learning, 2021).

use std::collections::BTreeSet;

use rand::seq::index;
use tch::{Kind, Reduction, Tensor};

use crate::checks::{matrix, shaped};
use crate::error::refused;
use crate::random::{Purpose, rng};
use crate::{Contrast, ContrastError};

/// One granularity: what k-means made of the whole set.
#[derive(Debug)]
pub struct Prototypes {
    /// `[k, d]`, on the unit sphere
    pub centres: Tensor,
    /// `[k]` fp32: the temperature of each
    pub concentration: Tensor,
    /// The cluster of every sample of the set
    pub assignment: Vec<i64>,
}

/// Candidates of a batch at one granularity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// Clusters, each once: first those of the batch in ascending order, then the negatives
    pub clusters: Vec<i64>,
    /// For each sample of the batch, the place of its cluster among them
    pub labels: Vec<i64>,
}

/// Draws `negatives` clusters that no sample of the batch is in, or all of them if there are fewer. The same seed,
/// update and granularity draw the same.
///
/// # Errors
/// A sample that is not in the set.
pub fn draw_negatives(
    prototypes: &Prototypes,
    samples: &[u32],
    negatives: usize,
    seed: u64,
    update: u64,
    granularity: u64,
) -> Result<Drawn, ContrastError> {
    let known = &prototypes.assignment;
    let own = samples.iter().map(|sample| {
        known.get(*sample as usize).copied().ok_or_else(|| {
            refused(
                format!("sample {sample} has no cluster: the prototypes are of {} samples", known.len()),
                "compute the prototypes on the set that is trained on",
            )
        })
    });
    let own: Vec<i64> = own.collect::<Result<_, _>>()?;
    let positive: Vec<i64> = own.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let place = |cluster: &i64| positive.partition_point(|other| other < cluster) as i64;
    let labels = own.iter().map(place).collect();
    let rest: Vec<i64> = (0..prototypes.centres.size()[0])
        .filter(|cluster| positive.binary_search(cluster).is_err())
        .collect();
    // a stream for every update and granularity: at most 2³² updates
    let mut rng = rng(seed, update | granularity << 32, Purpose::Negatives);
    let drawn = index::sample(&mut rng, rest.len(), negatives.min(rest.len()));
    let clusters = positive.iter().copied().chain(drawn.iter().map(|at| rest[at])).collect();
    Ok(Drawn { clusters, labels })
}

/// ProtoNCE of queries `[N, d]` on the unit sphere: the mean over granularities of each one's InfoNCE among the drawn
/// prototypes, each prototype's logits divided by its own concentration. Prototypes get no gradient. Returns the mean
/// loss and each granularity's contrast.
///
/// # Errors
/// Shapes that do not go together, no granularity, or one with a single candidate.
pub fn proto_nce(
    queries: &Tensor,
    granularities: &[(&Prototypes, &Drawn)],
) -> Result<(Tensor, Vec<Contrast>), ContrastError> {
    let (rows, width) = matrix(queries, "queries")?;
    let mut contrasts = Vec::with_capacity(granularities.len());
    for (prototypes, drawn) in granularities {
        shaped(&prototypes.centres, "prototypes", None, width)?;
        if drawn.labels.len() as i64 != rows {
            return Err(refused(
                format!("{} samples were drawn for, {rows} queries came", drawn.labels.len()),
                "draw negatives for the batch that is computed",
            ));
        }
        if drawn.clusters.len() < 2 {
            return Err(refused(
                "all samples are in one cluster: there is no prototype to contrast with",
                "take more clusters, or look whether the embeddings have collapsed",
            ));
        }
        let device = queries.device();
        let which = Tensor::f_from_slice(&drawn.clusters)?.f_to_device(device)?;
        let labels = Tensor::f_from_slice(&drawn.labels)?.f_to_device(device)?;
        let centres = prototypes.centres.f_detach()?.f_index_select(0, &which)?.f_to_kind(queries.kind())?;
        let concentration = prototypes.concentration.f_detach()?.f_index_select(0, &which)?;
        let logits = queries.f_matmul(&centres.f_tr()?)?.f_to_kind(Kind::Float)?.f_div(&concentration)?;
        let loss = logits.f_cross_entropy_loss(&labels, None::<Tensor>, Reduction::Mean, -100, 0.0)?;
        contrasts.push(Contrast { loss, logits, labels });
    }
    let losses: Vec<&Tensor> = contrasts.iter().map(|contrast| &contrast.loss).collect();
    if losses.is_empty() {
        return Err(refused("there are no prototypes yet", "cluster the set before this objective runs"));
    }
    Ok((Tensor::f_stack(&losses, 0)?.f_mean(Kind::Float)?, contrasts))
}
