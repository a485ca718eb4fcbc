//! A short fit: the recipe's own updates, on batches that are given.

use luthier_recipe::Rule;
use luthier_train::{OtherRule, TrainError, Update};

use crate::bench::Bench;
use crate::clock::Clock;

/// When a fit ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Updates
    pub steps: usize,
    /// It has learned what there is: the loss fell to this share of the first one
    pub until: f64,
    pub clock: Clock,
}

/// How a fit went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fitted {
    /// Loss before each update, in training mode
    pub losses: Vec<f64>,
    /// A loss or a gradient was not finite, and the fit ended there
    pub diverged: bool,
}

/// The second opinion: Adam at 1e-3, which learns most things that can be learned.
pub(crate) fn adam() -> OtherRule {
    OtherRule { rule: Rule::Adam { betas: [0.9, 0.999], eps: 1e-8 }, lr: 1e-3 }
}

/// Fits the model from its beginning, one update after the other and round again, at the full rate.
pub(crate) fn fit(
    bench: &mut Bench,
    rule: Option<&OtherRule>,
    updates: &[Update],
    limit: Limit,
) -> Result<Fitted, TrainError> {
    bench.reset()?;
    bench.job.refit(rule)?;
    let mut fitted = Fitted::default();
    for (step, update) in updates.iter().cycle().take(limit.steps).enumerate() {
        if limit.clock.over() {
            break;
        }
        match bench.gradients(update, step as u64) {
            Ok(mut half) => {
                fitted.losses.push(half.end.loss);
                bench.job.apply(&mut half, 1.0)?;
            }
            Err(TrainError::Diverged { .. }) => {
                fitted.diverged = true;
                break;
            }
            Err(error) => return Err(error),
        }
        if let (Some(first), Some(last)) = (fitted.losses.first(), fitted.losses.last())
            && updates.len() == 1
            && *last <= limit.until * first
        {
            break;
        }
    }
    Ok(fitted)
}
