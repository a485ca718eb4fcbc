//! One small batch, until it is known by heart: with the recipe's own optimizer, and with Adam at 1e-3 where that does
//! not get there. Then the same model with all inputs zero.

use luthier_doctor::{FitFacts, ProbeFacts, ZeroedFacts};
use luthier_plan::Role;
use luthier_train::{Batch, OtherRule, TrainError};

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::fit::{Fitted, Limit, adam, fit};
use crate::look::{evaluated, glance};
use crate::norms::told;
use crate::samples::zeroed;

/// Samples: at most, and the fewest that are worth learning.
const SAMPLES: usize = 8;
const FEWEST_SAMPLES: usize = 4;
/// Updates in which most things are learned by heart.
const ENOUGH: f64 = 40.0;
/// Updates at most.
const STEPS: usize = 100;
/// The fewest updates that say something, unless it is learned before.
const FEWEST: usize = 20;
/// Share of the first loss at which it is known by heart.
const THRESHOLD: f64 = 0.05;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    // as many as leave time for the updates that it takes, as evaluation sees them: the same each time
    let affordable = (0.4 * clock.left() / (ENOUGH * bench.seconds_own.max(1e-9))) as usize;
    let count = affordable.clamp(FEWEST_SAMPLES, SAMPLES);
    let indices = bench.first.indices.iter().take(count).copied().collect();
    let whole = crate::samples::one(bench.runner(), "train", false, indices)?;
    let own = by_heart(bench, &whole, None, STEPS, clock.share(0.5))?;
    let second = if learned(&own) || cut_short(&own) {
        None
    } else {
        Some(by_heart(bench, &whole, Some(adam()), STEPS, clock)?)
    };
    let cut = [Some(&own), second.as_ref()].into_iter().flatten().find(|fit| cut_short(fit));
    if let Some(cut) = cut {
        // a fit that had no time shows nothing, whatever its loss is
        let updates = cut.losses.len() - 1;
        return Err(Left(format!(
            "only {updates} updates fit the budget, and nothing is to be told from those"
        )));
    }
    facts.overfit_own = second.is_some().then(|| own.clone());
    let best = second.unwrap_or(own);
    bench.fitter = (!best.own).then(adam);
    // the fit that is reported is the one the model is left with
    facts.zeroed = zeroed(&whole)?.map(|zeros| zeroed_facts(bench, &whole, &zeros)).transpose()?;
    facts.overfit = Some(best);
    Ok(())
}

/// Whether a fit ended before it could show anything.
fn cut_short(fit: &FitFacts) -> bool {
    let diverged = fit.losses.last() == Some(&f64::MAX);
    fit.losses.len() <= FEWEST && !learned(fit) && !diverged
}

/// Whether a fit got there.
pub(crate) fn learned(fit: &FitFacts) -> bool {
    // of the last few: with dropout, one loss alone is as good as its mask
    let lowest = fit.losses.iter().rev().take(5).min_by(|a, b| a.total_cmp(b));
    let (first, last) = (fit.losses.first(), lowest);
    fit.score >= 1.0 && first.zip(last).is_some_and(|(first, last)| *last < 0.5 * first)
        || first.zip(last).is_some_and(|(first, last)| *last <= THRESHOLD * first)
}

/// Fits one batch from the beginning; the model is left as it ended.
pub(crate) fn by_heart(
    bench: &mut Bench,
    whole: &Batch,
    rule: Option<OtherRule>,
    steps: usize,
    clock: Clock,
) -> Result<FitFacts, TrainError> {
    let update = crate::samples::update_of(vec![short(bench, whole)?]);
    let limit = Limit { steps, until: THRESHOLD, clock };
    let Fitted { mut losses, diverged } = fit(bench, rule.as_ref(), std::slice::from_ref(&update), limit)?;
    let last =
        if diverged { f64::INFINITY } else { glance(bench.runner(), &update.batches[0], true)?.loss()? };
    losses.push(told(last));
    settle(bench, &update.batches[0], losses.len(), clock)?;
    let (_, score) = evaluated(bench.runner(), &update.batches)?;
    let score = if diverged { 0.0 } else { score };
    Ok(FitFacts { losses, score, samples: whole.labels.len() as u64, own: rule.is_none() })
}

/// Lets running statistics come to those of the batch: after few updates they are still those of the beginning, and
/// evaluation would judge the fit by them.
fn settle(bench: &Bench, batch: &Batch, updates: usize, clock: Clock) -> Result<(), TrainError> {
    // a share of 0.1 a pass, as most have, leaves a twentieth of the beginning
    const PASSES: usize = 30;
    let buffers = bench.runner().model.store.entries().iter().any(|entry| entry.role == Role::Buffer);
    if buffers {
        for _ in (updates..PASSES).take_while(|_| !clock.over()) {
            glance(bench.runner(), batch, true)?;
        }
    }
    Ok(())
}

/// The batch behind what rests; it is computed anew, for a batch cannot be copied.
fn short(bench: &Bench, whole: &Batch) -> Result<Batch, TrainError> {
    let again = crate::samples::one(bench.runner(), "train", false, whole.indices.clone())?;
    bench.short(again)
}

fn zeroed_facts(bench: &Bench, whole: &Batch, zeros: &Batch) -> Result<ZeroedFacts, TrainError> {
    Ok(ZeroedFacts {
        real: told(glance(bench.runner(), whole, false)?.loss()?),
        zeroed: told(glance(bench.runner(), zeros, false)?.loss()?),
    })
}
