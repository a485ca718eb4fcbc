//! What the network gives before its head: features, for whoever judges them.

use luthier_torch::autocast_to;
use tch::{Device, Kind, Tensor};

use crate::TrainError;
use crate::feed::Start;
use crate::runner::Runner;

/// Features of a split.
pub struct Embedded {
    /// One row for each sample that could be read, fp32 on the CPU
    pub features: Tensor,
    /// Their class indices
    pub labels: Tensor,
    /// Samples that could not be read: path and reason
    pub skipped: Vec<(String, String)>,
}

impl Runner {
    /// What the parts before the last give for a split of pictures, as evaluation sees them: each sample once, in order.
    /// Pixels that are left are averaged.
    pub fn embed(&self, split: &str) -> Result<Embedded, TrainError> {
        tch::no_grad(|| self.embed_all(split))
    }

    fn embed_all(&self, split: &str) -> Result<Embedded, TrainError> {
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        let skipped = self.embed_each(split, |part, own| {
            rows.push(part);
            labels.extend_from_slice(own);
            Ok(())
        })?;
        let features = match rows.is_empty() {
            true => Tensor::f_zeros([0, 1], (Kind::Float, Device::Cpu))?,
            false => Tensor::f_cat(&rows, 0)?,
        };
        Ok(Embedded { features, labels: Tensor::f_from_slice(&labels)?, skipped })
    }

    /// The same batch by batch, for `take` to keep as it likes: features, fp32 on the CPU, and class indices. Returns the
    /// samples that could not be read.
    pub(crate) fn embed_each(
        &self,
        split: &str,
        mut take: impl FnMut(Tensor, &[i64]) -> Result<(), TrainError>,
    ) -> Result<Vec<(String, String)>, TrainError> {
        let mut batches = self.feed.all(split)?;
        let half = self.half();
        let body = self.model.parts().len().saturating_sub(1);
        let mut skipped = Vec::new();
        while let Some(update) = batches.next_update(1)? {
            skipped.extend(update.skipped);
            for batch in &update.batches {
                let Start::Input(input) = &batch.start else {
                    return Err(TrainError::State(
                        "features are asked of a runner that has kept them".into(),
                    ));
                };
                let flow = autocast_to(self.device, half, || {
                    self.model.run(0..body, self.model.begin(input)?, false)
                })?;
                let hidden = flow.hidden.f_to_kind(Kind::Float)?;
                let hidden = match hidden.dim() {
                    4 => hidden.f_mean_dim([2i64, 3].as_slice(), false, None::<Kind>)?,
                    _ => hidden.f_flatten(1, -1)?,
                };
                take(hidden.f_to_device(Device::Cpu)?, &batch.labels)?;
            }
        }
        Ok(skipped)
    }
}
