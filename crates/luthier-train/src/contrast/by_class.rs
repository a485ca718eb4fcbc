//! A batch contrasted with itself, by the classes of its samples.

use luthier_contrast::{Distance, Margin, Mining, Pairs, TripletLoss, nearest_of_class, sup_con, triplet};
use luthier_recipe::{self as recipe, ContrastiveLoss, EmbeddingDistance, TripletMargin};
use tch::{Kind, Tensor};

use super::step::Seen;
use super::{Contrast, embed, first_view};
use crate::TrainError;
use crate::feed::Batch;
use crate::objective::Score;
use crate::runner::Runner;

impl Contrast {
    /// All views of a batch, one below the other, against each other. One forward pass: BatchNorm's statistics are those
    /// of all views.
    pub(super) fn see_classes(&self, runner: &Runner, batch: &Batch) -> Result<Seen, TrainError> {
        let first = first_view(batch)?;
        let (pictures, views) = match &batch.second {
            Some(second) => (Tensor::f_cat(&[first, second], 0)?, 2),
            None => (first.shallow_clone(), 1),
        };
        let (mut embeddings, outputs) = embed(runner, &runner.model, &pictures, &self.paths()[..1], true)?;
        let embeddings = embeddings.swap_remove(0);
        let labels = batch.labels.repeat(views);
        let of = Tensor::f_from_slice(&labels)?.f_to_device(runner.device)?;
        let pairs = Pairs::of(&labels, 1);
        let right = if labels.len() < 2 { 0 } else { tch::no_grad(|| nearest_of_class(&embeddings, &of))? };
        let (mut sums, mut counts) = (Vec::new(), Vec::new());
        for loss in &self.all {
            let counted = Score { right, anchors: pairs.with_positive, ..Score::default() };
            let (sum, score) = match loss {
                _ if !self.losses.contains(loss) => (None, Score::default()),
                ContrastiveLoss::Triplet if pairs.with_both > 0 => {
                    let found = triplet(&embeddings, &of, &self.triplets())?;
                    // a share of whole triplets
                    let active = (found.active * found.count as f64).round() as u64;
                    (Some(found.loss.f_mul_scalar(found.count as f64)?), Score { active, ..counted })
                }
                ContrastiveLoss::SupCon if pairs.with_positive > 0 => {
                    let mean = sup_con(&embeddings, &of, self.asked.temperature())?;
                    (Some(mean.f_mul_scalar(pairs.with_positive as f64)?), counted)
                }
                _ => (None, Score { barren: 1, ..counted }),
            };
            // where there is nothing to contrast, the gradient is one of zeros
            let nothing = || embeddings.f_sum(Kind::Float)?.f_mul_scalar(0.0);
            sums.push(sum.map_or_else(nothing, Ok)?);
            counts.push(score);
        }
        Ok(Seen { sums, counts, outputs, keys: None })
    }

    /// The triplet loss as the recipe has it.
    fn triplets(&self) -> TripletLoss {
        let asked = self.asked.triplet.clone().unwrap_or_default();
        TripletLoss {
            margin: match asked.margin {
                TripletMargin::Hinge(margin) => Margin::Hinge(margin),
                TripletMargin::Soft(_) => Margin::Soft,
            },
            mining: match asked.mining {
                recipe::Mining::BatchHard => Mining::BatchHard,
                recipe::Mining::SemiHard => Mining::SemiHard,
            },
            distance: match asked.distance {
                EmbeddingDistance::Euclidean => Distance::Euclidean,
                EmbeddingDistance::SquaredEuclidean => Distance::SquaredEuclidean,
                EmbeddingDistance::Cosine => Distance::Cosine,
            },
        }
    }
}
