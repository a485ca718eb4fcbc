//! A leap of the loss that every rank computed again on its share.

use luthier_plan::Spike;

use crate::TrainError;
use crate::job::Job;
use crate::rerun::NAMED;

impl Job {
    /// Names the worst samples of all ranks.
    pub(crate) fn merged(&self, spike: Spike) -> Result<Spike, TrainError> {
        let Some(ranks) = &self.runner.ranks else { return Ok(spike) };
        let mut samples: Vec<(String, f64)> = Vec::new();
        for bytes in ranks.group.gather(&serde_json::to_vec(&spike.samples).unwrap_or_default())? {
            samples.extend(serde_json::from_slice::<Vec<(String, f64)>>(&bytes).unwrap_or_default());
        }
        samples.sort_by(|a, b| b.1.total_cmp(&a.1));
        samples.truncate(NAMED);
        Ok(Spike { samples, ..spike })
    }
}
