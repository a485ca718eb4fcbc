//! Is there anything to learn: the same short fit on a sample, with its labels and with the labels dealt out anew, and
//! what each is worth on samples that were not seen.

use luthier_data::epoch_order;
use luthier_doctor::{PermutedFacts, ProbeFacts};
use luthier_train::{Batch, TrainError, Update};
use tch::Tensor;

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::fit::{Limit, fit};
use crate::look::evaluated;
use crate::samples::{plain, update_of};

/// Seeds at most; two are the fewest that know a noise.
const SEEDS: u64 = 3;
/// Updates of a fit: at most, and the fewest that may show something.
const STEPS: usize = 60;
const FEWEST: usize = 8;
/// Samples at most.
const TRAIN: usize = 512;
const HELD_OUT: usize = 128;
/// Share of the time for running what rests.
const ONCE: f64 = 0.3;
/// An evaluated sample costs about this share of a trained one.
const FORWARD: f64 = 0.35;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let batch_size = usize::try_from(bench.plan().recipe.train.batch_size).unwrap_or(usize::MAX).min(32);
    let (samples, split) = sources(bench);
    // what rests runs once for every sample; fits have the rest of the time
    let once = if bench.rests() { bench.seconds_forward.max(1e-9) } else { 1e-9 };
    let most = ((ONCE * clock.left() / once) as usize).min(TRAIN + HELD_OUT);
    let per_fit = |seeds: u64| (1.0 - ONCE) * clock.left() / (2 * seeds) as f64;
    let each = bench.seconds_own.max(1e-9);
    let affordable = |seeds: u64, size: usize| (0.6 * per_fit(seeds) / (each * size as f64)) as usize;
    let choices = [(SEEDS, batch_size), (2, batch_size), (2, batch_size.min(8))];
    let Some((seeds, size)) = choices.into_iter().find(|(seeds, size)| affordable(*seeds, *size) >= FEWEST)
    else {
        let why = format!("two fits of {FEWEST} updates with two seeds do not fit {:.0} s", clock.left());
        return Err(Left(why));
    };
    let steps = affordable(seeds, size).min(STEPS);
    let held_out = ((0.4 * per_fit(seeds) / (each * FORWARD)) as usize).clamp(16, HELD_OUT).min(most / 4);
    // an epoch or more over what is taken
    let wanted = (steps * size).min(TRAIN).min(most - held_out);
    let Samples { train, held_out } = samples.pick(wanted, held_out);
    if train.len() < 4 || held_out.len() < 4 {
        return Err(Left("there are too few samples to hold some out".into()));
    }
    let held_out = shortened(bench, plain(bench.runner(), split, held_out, size)?)?;
    let mut updates: Vec<Update> = shortened(bench, plain(bench.runner(), "train", train, size)?)?
        .into_iter()
        .map(|batch| update_of(vec![batch]))
        .collect();
    let truths = Truths::of(&updates)?;
    let rule = bench.fitter.clone();
    let (mut truth, mut permuted) = (Vec::new(), Vec::new());
    for seed in 0..seeds {
        for (real, scores) in [(true, &mut truth), (false, &mut permuted)] {
            truths.deal(&mut updates, &epoch_order(truths.labels.len(), seed, 0, !real))?;
            // another seed is another order of the same batches
            let turn = seed as usize % updates.len();
            updates.rotate_left(turn);
            let limit = Limit { steps, until: 0.0, clock };
            fit(bench, rule.as_ref(), &updates, limit)?;
            updates.rotate_right(turn);
            scores.push(evaluated(bench.runner(), &held_out)?.1);
        }
        if clock.over() && seed > 0 {
            break;
        }
    }
    facts.permuted = Some(summed(&truth, &permuted, &held_out));
    Ok(())
}

/// Labels and, of a regression, targets `[total, targets]` of updates of one batch each.
struct Truths {
    labels: Vec<i64>,
    /// Those of the heads beside the first
    more: Vec<Vec<i64>>,
    values: Option<Tensor>,
}

impl Truths {
    fn of(updates: &[Update]) -> Result<Truths, TrainError> {
        let batches = || updates.iter().map(|update| &update.batches[0]);
        let labels = batches().flat_map(|batch| &batch.labels).copied().collect();
        let heads = batches().map(|batch| batch.more.len()).min().unwrap_or(0);
        let of = |head: usize| batches().flat_map(|batch| &batch.more[head]).copied().collect();
        let more = (0..heads).map(of).collect();
        let values: Vec<Tensor> =
            batches().filter_map(|batch| batch.values.as_ref().map(Tensor::shallow_clone)).collect();
        let values = if values.is_empty() { None } else { Some(Tensor::f_cat(&values, 0)?) };
        Ok(Truths { labels, more, values })
    }

    /// Puts them on the samples of the updates, in an order.
    fn deal(&self, updates: &mut [Update], order: &[u32]) -> Result<(), TrainError> {
        let mut first = 0;
        for batch in updates.iter_mut().map(|update| &mut update.batches[0]) {
            let own = order.get(first..first + batch.labels.len()).unwrap_or_default();
            first += own.len();
            deal_to(&mut batch.labels, &self.labels, own);
            // a sample's labels stay together: what one head's say of another's is not what is asked
            for (labels, all) in batch.more.iter_mut().zip(&self.more) {
                deal_to(labels, all, own);
            }
            if let Some(values) = &self.values {
                let rows: Vec<i64> = own.iter().map(|at| i64::from(*at)).collect();
                let rows = Tensor::f_from_slice(&rows)?.f_to_device(values.device())?;
                batch.values = Some(values.f_index_select(0, &rows)?);
            }
        }
        Ok(())
    }
}

/// Samples of the class of a head that has most of them.
fn most_frequent(batches: &[Batch], head: usize) -> f64 {
    let mut counts = std::collections::BTreeMap::<i64, f64>::new();
    let labels = batches.iter().flat_map(|batch| batch.labels_of(head));
    labels.for_each(|label| *counts.entry(*label).or_default() += 1.0);
    counts.values().copied().fold(0.0, f64::max)
}

/// Labels out of `all`, by their places in it.
fn deal_to(labels: &mut [i64], all: &[i64], places: &[u32]) {
    for (label, at) in labels.iter_mut().zip(places) {
        *label = all.get(*at as usize).copied().unwrap_or(*label);
    }
}

fn shortened(bench: &Bench, batches: Vec<Batch>) -> Result<Vec<Batch>, TrainError> {
    batches.into_iter().map(|batch| bench.short(batch)).collect()
}

/// Indices to train on, and of the split that is held out.
struct Samples {
    train: Vec<u32>,
    held_out: Vec<u32>,
}

impl Samples {
    fn pick(mut self, train: usize, held_out: usize) -> Samples {
        self.train.truncate(train);
        self.held_out.truncate(held_out);
        self
    }
}

/// The validation split is held out, or a quarter of the training split where there is none.
fn sources(bench: &Bench) -> (Samples, &'static str) {
    let plan = bench.plan();
    let seed = plan.recipe.seed;
    let count = |split: &str| plan.data.split(split).map_or(0, |split| split.samples.len());
    let mut train = epoch_order(count("train"), seed, u64::MAX, true);
    if count("valid") > 0 {
        let held_out = epoch_order(count("valid"), seed, u64::MAX, true);
        return (Samples { train, held_out }, "valid");
    }
    let held_out = train.split_off(train.len() - train.len() / 4);
    (Samples { train, held_out }, "train")
}

fn summed(truth: &[f64], permuted: &[f64], held_out: &[Batch]) -> PermutedFacts {
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    let differences: Vec<f64> = truth.iter().zip(permuted).map(|(a, b)| a - b).collect();
    let (average, n) = (mean(&differences), differences.len().max(2) as f64);
    let variance = differences.iter().map(|d| (d - average).powi(2)).sum::<f64>() / (n - 1.0);
    let samples: f64 = held_out.iter().map(|batch| batch.labels.len() as f64).sum();
    let heads = 1 + held_out.iter().map(|batch| batch.more.len()).min().unwrap_or(0);
    let most = (0..heads).map(|head| most_frequent(held_out, head)).sum::<f64>() / heads as f64;
    let (truth, permuted) = (mean(truth), mean(permuted));
    let regression = held_out.iter().any(|batch| batch.values.is_some());
    let chance = if regression { 0.0 } else { most / samples.max(1.0) };
    // every seed is judged by the same held-out samples: how many they are is a noise that seeds do not take away. Of a
    // share it is the binomial's; of an R² near 0 it is about 2 / n
    let drawn = if regression { 4.0 } else { truth * (1.0 - truth) + permuted * (1.0 - permuted) };
    let drawn = drawn / samples.max(1.0);
    PermutedFacts { truth, permuted, noise: (variance / n + drawn).sqrt(), chance }
}
