//! The run's own beginning, played twice: at the planned rates, and at a tenth of them. A run that bounces at first and
//! learns from there is ahead of the slower one before long; one whose rate is too high never is.

use luthier_doctor::{ProbeFacts, RehearsalFacts};
use luthier_train::TrainError;

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;

/// Updates at most, and the fewest that tell a bounce from a rate that is too high.
const MOST: usize = 250;
const FEWEST: usize = 40;
/// Share of the first loss above which it stands still.
const STANDS: f64 = 0.8;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let planned = bench.plan().lr_factors.len();
    let recipe = &bench.plan().recipe.train;
    let samples = recipe.batch_size.saturating_mul(recipe.grad_accum) as f64;
    let affordable = (0.3 * clock.left() / (bench.seconds_own.max(1e-9) * samples)) as usize;
    let updates = affordable.min(MOST).min(planned);
    if updates < FEWEST.min(planned) {
        return Err(Left(format!("{FEWEST} updates at two rates do not fit the budget")));
    }
    let own = play(bench, updates, 1.0, clock)?;
    bench.reset()?;
    let tenth = play(bench, updates, 0.1, clock)?;
    // where it stands still, is it the rate?
    let stands = level(&own) > STANDS * own.first().copied().unwrap_or(0.0);
    let tenfold = if stands && !clock.over() {
        bench.reset()?;
        play(bench, updates, 10.0, clock)?
    } else {
        Vec::new()
    };
    let share = own.len() as f64 / planned.max(1) as f64;
    facts.rehearsal = Some(RehearsalFacts { own, tenth, tenfold, share });
    Ok(())
}

/// Mean of the last quarter.
fn level(losses: &[f64]) -> f64 {
    let last = &losses[losses.len() - losses.len().div_ceil(4)..];
    last.iter().sum::<f64>() / last.len().max(1) as f64
}

/// Losses of the first updates at this share of the planned rates.
fn play(bench: &mut Bench, updates: usize, share: f64, clock: Clock) -> Result<Vec<f64>, TrainError> {
    let accumulated = bench.plan().recipe.train.grad_accum;
    let mut losses = Vec::with_capacity(updates);
    for epoch in 0.. {
        let mut batches = bench.runner().feed.train(epoch, 0)?;
        let before = losses.len();
        while losses.len() < updates && !clock.over() {
            let Some(mut update) = batches.next_update(accumulated)? else { break };
            for batch in std::mem::take(&mut update.batches) {
                update.batches.push(bench.short(batch)?);
            }
            let number = losses.len();
            let factor = bench.plan().lr_factors.get(number).copied().unwrap_or(1.0);
            let end = bench.job.gradients(&update, number as u64).and_then(|mut half| {
                losses.push(half.end.loss);
                bench.job.apply(&mut half, share * factor)
            });
            match end {
                Ok(()) => {}
                Err(TrainError::Diverged { .. }) => {
                    losses.push(f64::MAX);
                    return Ok(losses);
                }
                Err(error) => return Err(error),
            }
        }
        if losses.len() >= updates || losses.len() == before || clock.over() {
            break;
        }
    }
    Ok(losses)
}
