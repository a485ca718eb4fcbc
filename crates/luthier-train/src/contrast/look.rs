//! What embeddings are worth while they are learned. Nothing of it is trained on.

use std::time::Instant;

use luthier_contrast::{
    FeatureWriter, Features, Knn, alignment, knn_accuracy, normalize, spread, uniformity,
};
use luthier_plan::{EmbeddingsEnd, Position};
use tch::Tensor;

use super::cluster::Scratch;
use super::{Contrast, embed, first_view};
use crate::TrainError;
use crate::job::Job;
use crate::runner::Runner;

/// Training samples whose views are looked at: memory grows with the square.
const LOOKED_AT: usize = 1024;

impl Job {
    /// Looks at the query encoder's embeddings, as evaluation makes them.
    pub(crate) fn embeddings(&self, at: Position) -> Result<Option<EmbeddingsEnd>, TrainError> {
        let Some(contrast) = &self.contrast else { return Ok(None) };
        // nothing of it decides how a run goes on, so the other ranks need not know it
        let ranks = self.runner.ranks.as_deref();
        if let Some(ranks) = ranks.filter(|ranks| !ranks.world.is_first()) {
            ranks.wait_for_first(at.update)?;
            return Ok(None);
        }
        let end = self.look_at(contrast, at);
        if let Some(ranks) = ranks {
            ranks.first_is_done(at.update);
        }
        end.map(Some)
    }

    fn look_at(&self, contrast: &Contrast, at: Position) -> Result<EmbeddingsEnd, TrainError> {
        let began = Instant::now();
        tch::no_grad(|| {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            let mut batches = self.runner.feed.views(LOOKED_AT)?;
            while let Some(update) = batches.next_update(1)? {
                for batch in &update.batches {
                    let look = |pictures: &Tensor| {
                        embed(&self.runner, &self.runner.model, pictures, &contrast.paths()[..1], false)
                            .map(|(mut rows, _)| rows.swap_remove(0))
                    };
                    one.push(look(first_view(batch)?)?);
                    other.extend(batch.second.as_ref().map(look).transpose()?);
                }
            }
            let (one, other) = (Tensor::f_cat(&one, 0)?, Tensor::f_cat(&other, 0)?);
            let even_std = 1.0 / (contrast.asked.dim as f64).sqrt();
            Ok(EmbeddingsEnd {
                at,
                alignment: alignment(&one, &other)?,
                uniformity: uniformity(&one)?,
                std: spread(&one)? * even_std,
                even_std,
                knn: neighbours(&self.runner)?,
                count: one.size()[0].unsigned_abs(),
                seconds: began.elapsed().as_secs_f64(),
            })
        })
    }
}

/// Share of validation samples whose class their neighbours among the training samples say, by the features before the
/// head.
fn neighbours(runner: &Runner) -> Result<Option<f64>, TrainError> {
    let classes = runner.plan.data.classes.len();
    if classes < 2 || runner.plan.data.split("valid").is_none() {
        return Ok(None);
    }
    let files = [Scratch::new(runner), Scratch::new(runner)];
    let (Some((bank, labels)), Some((queries, truth))) =
        (filed(runner, "train", &files[0])?, filed(runner, "valid", &files[1])?)
    else {
        return Ok(None);
    };
    let knn = Knn::default();
    // of a small set, two hundred are no neighbours
    let few = (labels.size()[0] / 10).max(1);
    let knn = Knn { k: knn.k.min(few), ..knn };
    Ok(Some(knn_accuracy(&queries, &truth, &bank, &labels, classes as i64, knn)?))
}

/// Features of a split before the head, on the unit sphere, in a file; and their class indices. `None` where no sample can
/// be read.
fn filed(runner: &Runner, split: &str, file: &Scratch) -> Result<Option<(Features, Tensor)>, TrainError> {
    let (mut writer, mut labels) = (None, Vec::new());
    runner.embed_each(split, |rows, own| {
        let rows = normalize(&rows)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(FeatureWriter::create(&file.0, rows.size()[1], 0)?),
        };
        writer.push(&rows)?;
        labels.extend_from_slice(own);
        Ok(())
    })?;
    let Some(writer) = writer else { return Ok(None) };
    Ok(Some((writer.finish_unsynced()?, Tensor::f_from_slice(&labels)?)))
}
