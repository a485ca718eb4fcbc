//! A run's optimizers, opened up at the update where a listener stops it.

use serde::Serialize;

use super::Session;
use crate::{Remembered, TrainError};

/// One stream's optimizer after some update.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenedOptimizer {
    /// Name of the stream; empty where there is one
    pub stream: String,
    /// Updates that it has done; fewer than the run's where a stage began with a fresh one
    pub steps: u64,
    /// What the plan's rates were multiplied with in its last update
    pub factor: f64,
    /// Every parameter that it moves
    pub tensors: Vec<Remembered>,
}

impl Session<'_> {
    /// Goes on until a listener stops it or the run is over, writes no checkpoint, and opens the optimizers there. From a
    /// checkpoint on, the updates are those of the run that wrote it, to the last bit.
    ///
    /// # Errors
    /// Those of [`Session::run`].
    pub fn open_where_it_stops(mut self) -> Result<Vec<OpenedOptimizer>, TrainError> {
        self.saves = false;
        self.epochs()?;
        self.opened()
    }

    /// Opens the optimizers as they are now.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn opened(&self) -> Result<Vec<OpenedOptimizer>, TrainError> {
        let (job, plan) = (&self.job, &self.job.runner.plan);
        let factor = |factors: &[f64], update: u64, otherwise: f64| {
            let last = usize::try_from(update).ok().and_then(|update| update.checked_sub(1));
            last.and_then(|last| factors.get(last).copied()).unwrap_or(otherwise)
        };
        let scale = plan.stages.get(job.stage()).map_or(1.0, |stage| stage.lr_scale);
        let mut all = vec![OpenedOptimizer {
            stream: job.runner.plan.stream.clone(),
            steps: job.optimizer.steps(),
            factor: factor(&plan.lr_factors, self.state.update, self.state.plateau.factor * scale),
            tensors: job.optimizer.opened()?,
        }];
        for (job, state) in job.others.iter().zip(&self.state.streams) {
            all.push(OpenedOptimizer {
                stream: job.runner.plan.stream.clone(),
                steps: job.optimizer.steps(),
                factor: factor(&job.runner.plan.lr_factors, state.update, state.plateau.factor),
                tensors: job.optimizer.opened()?,
            });
        }
        // with one optimizer for the sum of all streams, the others move nothing
        all.retain(|opened| !opened.tensors.is_empty());
        Ok(all)
    }
}
