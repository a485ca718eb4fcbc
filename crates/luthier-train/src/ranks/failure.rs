//! A failure that all ranks report, with the name of the rank that it comes from.

use std::rc::Rc;

use luthier_plan::watch::{BAD_INPUT, NOT_FINITE};
use luthier_torch::manual_seed;

use super::Ranks;
use crate::TrainError;
use crate::feed::Update;
use crate::job::Job;

impl Job {
    /// An error that all ranks must hear of: alone, it ends the run here; otherwise at the next [`Job::agree`].
    pub(crate) fn fail(&mut self, error: TrainError) -> Result<(), TrainError> {
        match &mut self.member {
            None => Err(error),
            Some(member) => {
                let _ = member.failed.get_or_insert(error);
                Ok(())
            }
        }
    }

    /// An error of the summed gradients, with the rank that it comes from: each computes its own once more.
    pub(crate) fn with_rank(
        &mut self,
        error: TrainError,
        update: &Update,
        number: u64,
    ) -> Result<TrainError, TrainError> {
        let ranks = match &self.member {
            Some(member) if !member.summed && self.contrast.is_none() => Rc::clone(&member.ranks),
            _ => return Ok(error),
        };
        let TrainError::Diverged { update: at, rule, what, help } = error else { return Ok(error) };
        self.optimizer.clear_grads()?;
        for (part, batch) in update.batches.iter().enumerate() {
            let _draws = manual_seed(self.seed_of(number, part as u64));
            let objective = &self.runner.objective;
            let sums = objective.sums(&self.runner.forward(batch, true)?, batch)?;
            let loss = objective.minimised(&sums, &objective.denominators(batch))?;
            loss.f_mul_scalar(self.scale())?.f_backward()?;
        }
        let bad = !self.optimizer.grad_norm()?.is_finite();
        let all = ranks.group.gather(&[u8::from(bad)])?;
        let what = match all.iter().position(|said| said == &[1]) {
            Some(rank) => format!("on rank {rank}, {what}"),
            None => format!("{what}; on each rank alone it is"),
        };
        Ok(TrainError::Diverged { update: at, rule, what, help })
    }
}

/// The error of the first rank that failed, which all ranks report.
pub(super) fn first_failure(
    ranks: &Ranks,
    own: Option<TrainError>,
    number: u64,
) -> Result<TrainError, TrainError> {
    let told = own.map(|error| match error {
        TrainError::Diverged { rule, what, help, .. } => (rule.to_owned(), what, help),
        other => (NOT_FINITE.to_owned(), other.to_string(), String::new()),
    });
    let said = ranks.group.gather(&serde_json::to_vec(&told).unwrap_or_default())?;
    for (rank, bytes) in said.iter().enumerate() {
        let told: Option<(String, String, String)> = serde_json::from_slice(bytes).unwrap_or_default();
        if let Some((rule, what, help)) = told {
            let rule = if rule == BAD_INPUT { BAD_INPUT } else { NOT_FINITE };
            let what = format!("on rank {rank}, {what}");
            return Ok(TrainError::Diverged { update: number + 1, rule, what, help });
        }
    }
    Ok(TrainError::State("a rank failed and did not say why".into()))
}
