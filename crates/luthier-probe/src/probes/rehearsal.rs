//! The run's own beginning, played twice: at the planned rates, and at a tenth of them. A run that bounces at first and
//! learns from there is ahead of the slower one before long; one whose rate is too high never is. As many updates as fit
//! the time, the same ones of both.

use luthier_doctor::{ProbeFacts, RehearsalFacts};
use luthier_train::TrainError;

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;

/// Updates at most, and the fewest that are worth playing: few show whether the slower rate is ahead, and not whether a
/// bounce settles.
const MOST: usize = 250;
const FEWEST: usize = 5;
/// Share of the time in which one run has to fit.
const EACH: f64 = 0.4;
/// Share of the first loss above which it stands still.
const STANDS: f64 = 0.8;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let planned = bench.plan().lr_factors.len();
    let recipe = &bench.plan().recipe.train;
    let samples = recipe.batch_size.saturating_mul(recipe.grad_accum) as f64;
    let affordable = (EACH * clock.left() / (bench.seconds_own.max(1e-9) * samples)) as usize;
    let (updates, fewest) = (affordable.min(MOST).min(planned), FEWEST.min(planned));
    let unfit = || Left(format!("{FEWEST} updates at two rates do not fit the budget"));
    if updates < fewest {
        return Err(unfit());
    }
    // an update may take longer than was measured: what the first run had of the time, the second has as well
    let mut own = play(bench, updates, 1.0, clock.share(0.5))?;
    bench.reset()?;
    let mut tenth = play(bench, own.len(), 0.1, clock)?;
    if !diverged(&own) && !diverged(&tenth) {
        // updates that one of them had not are of other batches, and no comparison
        let both = own.len().min(tenth.len());
        own.truncate(both);
        tenth.truncate(both);
    }
    if tenth.is_empty() || own.len() < fewest && !diverged(&own) {
        return Err(unfit());
    }
    // where it stands still, is it the rate?
    let stands = level(&own) > STANDS * own.first().copied().unwrap_or(0.0);
    let mut tenfold = Vec::new();
    if stands && !clock.over() {
        bench.reset()?;
        tenfold = play(bench, own.len(), 10.0, clock)?;
        if tenfold.len() < own.len() && !diverged(&tenfold) {
            tenfold.clear();
        }
    }
    let share = own.len() as f64 / planned.max(1) as f64;
    facts.rehearsal = Some(RehearsalFacts { own, tenth, tenfold, share });
    Ok(())
}

/// The same of a contrast, for whether the run survives its beginning. Losses at two rates say nothing more of it: they are
/// of other keys.
pub(super) fn survives(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let planned = bench.plan().lr_factors.len();
    let own = play(bench, MOST.min(planned), 1.0, clock.share(0.6))?;
    if !diverged(&own) {
        let updates = own.len();
        return Err(Left(format!(
            "a contrast is not judged by its loss; it stayed finite for {updates} updates"
        )));
    }
    bench.reset()?;
    let tenth = play(bench, own.len(), 0.1, clock)?;
    let share = own.len() as f64 / planned.max(1) as f64;
    facts.rehearsal = Some(RehearsalFacts { own, tenth, tenfold: Vec::new(), share });
    Ok(())
}

/// Whether a loss was not finite, and the run ended there.
fn diverged(losses: &[f64]) -> bool {
    losses.last() == Some(&f64::MAX)
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
            let end = bench.gradients(&update, number as u64).and_then(|mut half| {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use std::time::Duration;

    use luthier_doctor::ProbeFacts;

    use super::run;
    use crate::bench::Bench;
    use crate::clock::Clock;
    use crate::probes::common;

    #[test]
    fn whatever_the_time_allows_both_rates_are_played_over_the_same_updates() {
        let _alone = common::alone();
        let mut bench = Bench::new(common::prepared(common::TEXTS, &["train.epochs=100"])).unwrap();
        let mut played = 0;
        for milliseconds in [1, 10, 30, 60, 100, 150, 200, 300, 500] {
            let mut facts = ProbeFacts::default();
            let told = run(&mut bench, &mut facts, Clock::new(Duration::from_millis(milliseconds)));
            bench.reset().unwrap();
            assert_eq!(told.is_ok(), facts.rehearsal.is_some(), "{milliseconds}");
            let Some(rehearsal) = facts.rehearsal else { continue };
            played += 1;
            assert_eq!(rehearsal.own.len(), rehearsal.tenth.len(), "{milliseconds}");
            assert_eq!(rehearsal.own[0], rehearsal.tenth[0], "the same batch, the same weights");
        }
        assert!(played > 0);
    }
}
