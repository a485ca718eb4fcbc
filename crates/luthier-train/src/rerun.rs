//! The forward pass of an update once more: from the same samples and the same random numbers, leaving no trace.

use luthier_model::Model;
use luthier_plan::watch::Rise;
use luthier_plan::{Position, Role, Spike};
use luthier_torch::{autocast_to, manual_seed};
use tch::Tensor;

use crate::TrainError;
use crate::feed::{Batch, Start, Update};
use crate::job::Job;
use crate::objective::Score;
use crate::optim::all_finite;

/// Samples of a spike that are named.
pub(crate) const NAMED: usize = 5;

impl Job {
    /// Computes the loss of an update again, before the weights have moved. The spike's position is filled in by the
    /// session.
    pub(crate) fn again(
        &mut self,
        update: &Update,
        number: u64,
        loss: f64,
        rise: Rise,
    ) -> Result<Spike, TrainError> {
        let kept = Buffers::keep(&self.runner.model)?;
        let mut scores = vec![Score::default(); self.runner.objective.len()];
        let mut samples = Vec::new();
        for (part, batch) in update.batches.iter().enumerate() {
            let _draws = manual_seed(self.seed_of(number, part as u64));
            // with a graph, as the first time: without one, some operations take another way
            let logits = self.runner.forward(batch, true)?.f_detach()?;
            for (score, own) in scores.iter_mut().zip(self.runner.objective.score(&logits, batch)?) {
                score.add(own);
            }
            for row in 0..batch.labels.len() {
                let own = self.runner.objective.of_row(&logits, batch, row)?;
                if own.is_finite() {
                    samples.push((self.runner.feed.place_of(batch, row), own));
                }
            }
        }
        kept.put_back()?;
        let scores = self.summed(scores)?;
        samples.sort_by(|a, b| b.1.total_cmp(&a.1));
        samples.truncate(NAMED);
        let at = Position { update: 0, epoch: 0, samples: 0, epochs: 0.0 };
        Ok(Spike { at, loss, median: rise.median, again: self.runner.objective.mean(&scores), samples })
    }

    /// Name of the first part of the network whose output is not finite, for batch `part` of update `number`; `None`
    /// where all of them are this time.
    pub(crate) fn first_bad_part(
        &self,
        batch: &Batch,
        number: u64,
        part: u64,
    ) -> Result<Option<String>, TrainError> {
        let model = &self.runner.model;
        let kept = Buffers::keep(model)?;
        let _draws = manual_seed(self.seed_of(number, part));
        let found =
            tch::no_grad(|| autocast_to(self.runner.device, self.runner.half(), || walk(model, batch)));
        kept.put_back()?;
        found
    }
}

fn walk(model: &Model, batch: &Batch) -> Result<Option<String>, TrainError> {
    let (first, mut flow) = match &batch.start {
        Start::Input(input) => (0, model.begin(input)?),
        Start::Behind(parts, flow) => (*parts, flow.with(flow.hidden.shallow_clone())),
    };
    for (index, part) in model.parts().iter().enumerate().skip(first) {
        flow = model.run(index..index + 1, flow, true)?;
        if !all_finite(&flow.hidden)? {
            return Ok(Some(part.name.clone()));
        }
    }
    Ok(None)
}

/// Buffers of a model as they were: a forward pass in training moves BatchNorm's statistics.
struct Buffers(Vec<(Tensor, Tensor)>);

impl Buffers {
    fn keep(model: &Model) -> Result<Self, TrainError> {
        let buffers = model.store.entries().iter().filter(|entry| entry.role == Role::Buffer);
        let pairs = buffers.map(|entry| Ok((entry.tensor.shallow_clone(), entry.tensor.f_detach_copy()?)));
        Ok(Buffers(pairs.collect::<Result<_, TrainError>>()?))
    }

    fn put_back(self) -> Result<(), TrainError> {
        tch::no_grad(|| {
            for (mut tensor, kept) in self.0 {
                tensor.f_copy_(&kept)?;
            }
            Ok(())
        })
    }
}
