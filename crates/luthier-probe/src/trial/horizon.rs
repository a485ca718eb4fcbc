//! How much of a recipe a trial runs: all of it where the clock allows that, otherwise fewer samples, and fewer epochs
//! only where samples alone do not do it. So a schedule keeps its shape. Where one recipe's schedule counts updates and the
//! other's epochs, it is the other way round: in an epoch of ten updates, halving the rate every three epochs spends as much as a
//! tenfold rate that is halved every three updates, and a trial would call the two equal.

use std::mem::discriminant;
use std::path::Path;
use std::time::Instant;

use luthier_data::epoch_order;
use luthier_plan::{DataPlan, Plan, SplitPlan, streams};
use luthier_recipe::{Curve, Every, Interleave, Recipe};
use luthier_train::{Prepared, TrainError, cut, prepare};

use super::arm::{self, Arm};
use crate::bench::{Bench, each};
use crate::clock::Clock;
use crate::look::forward;

/// Share of the budget that is planned with: the rest is for what was guessed wrong.
const PLANNED: f64 = 0.8;
/// Held-out samples, at most.
const HELD_OUT: usize = 512;
/// Share of the training samples that is held out where the recipe holds out none.
const SHARE: f64 = 0.2;
/// The fewest batches an epoch is cut to.
const BATCHES: usize = 4;

/// How much of a recipe is run.
pub(super) struct Horizon {
    /// Pairs of runs
    seeds: u64,
    /// Of every stream; of a run without streams, one
    parts: Vec<Part>,
    /// Share of each recipe's epochs
    epochs: f64,
}

/// How much of a stream is run.
#[derive(Clone, Copy)]
struct Part {
    /// Training samples of every run
    train: usize,
    /// Training samples that there are
    all: usize,
    /// Held-out samples of every run
    held_out: usize,
    /// The fewest training samples that are worth a run
    fewest: usize,
    /// Samples of an update
    batch: usize,
}

/// What running costs.
struct Cost {
    /// Seconds to prepare a run
    setup: f64,
    /// Seconds to train a sample of the first stream once, and the share of the others' turns that goes with it
    sample: f64,
    /// Seconds to evaluate one, or to run what rests once
    forward: f64,
}

impl Horizon {
    /// Measures what the first recipe costs, and cuts both to what the clock has room for.
    pub fn of(
        recipes: [&Recipe; 2],
        base: &Path,
        device: &str,
        [fewest_seeds, seeds]: [u64; 2],
        clock: Clock,
    ) -> Result<Self, TrainError> {
        let began = Instant::now();
        let prepared = prepare(recipes[0], base, device)?;
        let setup = began.elapsed().as_secs_f64();
        let contrasts = prepared.plan.recipe.contrastive.is_some();
        let clusters = recipes.iter().filter_map(|recipe| most_clusters(recipe)).max().unwrap_or(0);
        let parts: Vec<Part> = streams::all(&prepared.plan)
            .enumerate()
            .map(|(at, plan)| {
                let batch = |recipe: &&Recipe| recipe.of_stream(at).train.batch_size;
                let batch = recipes.iter().map(batch).max().unwrap_or(1) as usize;
                Part::of(plan, at == 0, batch, clusters)
            })
            .collect();
        let cost = cost(prepared, setup)?;
        let epochs = recipes.iter().map(|recipe| recipe.train.epochs).max().unwrap_or(1) as f64;
        let Part { train, fewest, batch, .. } = parts[0];
        let held_out: usize = parts.iter().map(|part| part.held_out).sum();
        // neighbours are looked for among the training samples, and two views are held against each other
        let looked = if contrasts { held_out + 3 * train } else { held_out };
        let evaluating = looked as f64 * cost.forward * evaluations(recipes, epochs);
        let counted = counted_apart(recipes);
        let within = |seeds: u64| {
            let left = clock.left() * PLANNED / (2 * seeds) as f64 - cost.setup - evaluating;
            let within = |epochs: f64| (left / (epochs * cost.sample + cost.forward)).max(0.0) as usize;
            let affordable = within(epochs);
            let shorter = (left / fewest as f64 - cost.forward) / (epochs * cost.sample);
            let (mut kept, epochs) = if counted {
                let passes = (left / train.max(1) as f64 - cost.forward) / cost.sample;
                let whole = passes.floor().clamp(1.0, epochs);
                (within(whole).clamp(fewest, train), whole / epochs)
            } else {
                let share = if affordable >= fewest { 1.0 } else { shorter.clamp(0.0, 1.0) };
                (affordable.clamp(fewest, train), share)
            };
            if contrasts && kept > batch && kept % batch == 1 {
                // a last batch of one sample has no other to contrast it with
                kept -= 1;
            }
            Horizon {
                seeds,
                parts: parts.iter().map(|part| part.cut(kept as f64 / train as f64)).collect(),
                epochs,
            }
        };
        // rather one seed less than fewer epochs
        let most = within(seeds);
        Ok(if most.epochs < 1.0 { within(fewest_seeds.min(seeds)) } else { most })
    }

    /// Every epoch is run on all training samples.
    pub fn whole(&self) -> bool {
        self.parts.iter().all(|part| part.train == part.all) && self.epochs >= 1.0
    }

    /// Training samples of a run, of all streams.
    pub fn samples(&self) -> u64 {
        self.parts.iter().map(|part| part.train as u64).sum()
    }

    /// Pairs of runs there is time for.
    pub fn seeds(&self) -> u64 {
        self.seeds
    }

    /// Runs a recipe as far as this; `None` where the clock ran out.
    pub fn run(
        &self,
        recipe: &Recipe,
        base: &Path,
        device: &str,
        clock: Clock,
    ) -> Result<Option<Arm>, TrainError> {
        let prepared = prepare(recipe, base, device)?;
        let own = |(at, plan): (usize, &Plan)| self.parts.get(at).map(|part| part.data(plan, at == 0));
        let data = streams::all(&prepared.plan).enumerate().filter_map(own).collect();
        let mut recipe = recipe.clone();
        // stages name their own lengths
        if recipe.stages.is_empty() {
            // a share of whole epochs is not to lose one to rounding
            recipe.train.epochs = ((recipe.train.epochs as f64 * self.epochs + 1e-6) as u64).max(1);
        }
        recipe.eval.at_end = Vec::new();
        recipe.eval.batches = None;
        if !judged_on_the_way(&recipe) {
            recipe.eval.every = Every::Epochs(recipe.train.epochs);
        }
        arm::run(cut(prepared, &recipe, data)?, clock)
    }
}

impl Part {
    /// All of a stream. Of the first, samples are held out where the recipe holds out none: they are what a trial is
    /// judged by.
    fn of(plan: &Plan, first: bool, batch: usize, clusters: usize) -> Part {
        let [all, held_out] = ["train", "valid"].map(|name| count(plan, name));
        let own = if held_out == 0 && first { (all as f64 * SHARE) as usize } else { held_out };
        let train = if held_out == 0 { all - own } else { all };
        let fewest = (BATCHES * batch).max(4 * plan.data.classes.len()).max(clusters).clamp(1, train.max(1));
        // batches of so many of each class need every class whole
        let per_class = plan.recipe.contrastive.as_ref().and_then(|asked| asked.m_per_class);
        let fewest = if per_class.is_some() { train.max(1) } else { fewest };
        // what is held out of the training samples is none of them
        Part { train, all: train, held_out: own.min(HELD_OUT), fewest, batch }
    }

    /// A share of its training samples.
    fn cut(self, share: f64) -> Part {
        let train = (share * self.train as f64).round() as usize;
        Part { train: train.clamp(self.fewest.min(self.train), self.train), ..self }
    }

    /// The samples of a run: the same for every recipe that divides the data the same way.
    fn data(&self, plan: &Plan, first: bool) -> DataPlan {
        let seed = plan.recipe.seed;
        let pick = |split: &SplitPlan, name: &str, mut indices: Vec<u32>| {
            // in the order of the recipe: it may ask not to shuffle
            indices.sort_unstable();
            SplitPlan { name: name.into(), samples: split.samples.pick(&indices), ..split.clone() }
        };
        let drawn = |split: &SplitPlan| epoch_order(split.samples.len(), seed, u64::MAX, true);
        let Some(train) = plan.data.split("train") else { return plan.data.clone() };
        let mut order = drawn(train);
        let valid = match plan.data.split("valid") {
            Some(valid) => {
                let mut indices = drawn(valid);
                indices.truncate(self.held_out);
                Some(pick(valid, "valid", indices))
            }
            None if first => {
                let kept = order.len().saturating_sub(self.held_out);
                Some(pick(train, "valid", order.split_off(kept)))
            }
            None => None,
        };
        order.truncate(self.train);
        let splits = std::iter::once(pick(train, "train", order)).chain(valid).collect();
        DataPlan { splits, ..plan.data.clone() }
    }
}

/// A run looks at the held-out samples after each epoch because something depends on it.
fn judged_on_the_way(recipe: &Recipe) -> bool {
    recipe.train.early_stopping.is_some() || matches!(recipe.schedule.curve, Curve::ReduceLROnPlateau { .. })
}

/// Whether a schedule of the same curve counts something else in one of them, in a stream that steps by its own.
fn counted_apart([one, other]: [&Recipe; 2]) -> bool {
    let steps = |recipe: &Recipe| match recipe.train.interleave {
        Interleave::Sum => 1,
        _ => recipe.streams.len().max(1),
    };
    (0..steps(one).min(steps(other))).any(|at| {
        let [one, other] = [one, other].map(|recipe| recipe.of_stream(at).schedule);
        discriminant(&one.curve) == discriminant(&other.curve) && one.unit != other.unit
    })
}

/// Clusters of the finest granularity of a contrast.
fn most_clusters(recipe: &Recipe) -> Option<usize> {
    let prototypes = recipe.contrastive.as_ref()?.prototypes.as_ref()?;
    prototypes.clusters.iter().max().map(|most| *most as usize)
}

/// Evaluations of the run that evaluates most.
fn evaluations(recipes: [&Recipe; 2], epochs: f64) -> f64 {
    if recipes.iter().any(|recipe| judged_on_the_way(recipe)) { epochs } else { 1.0 }
}

fn count(plan: &Plan, split: &str) -> usize {
    plan.data.split(split).map_or(0, |split| split.samples.len())
}

/// Times a few updates of every stream, data included, and a forward pass of the whole network.
fn cost(prepared: Prepared, setup: f64) -> Result<Cost, TrainError> {
    let Prepared { plan, mut model } = prepared;
    let several = !plan.streams.is_empty();
    let (mut pass, mut forward) = (0.0, 0.0_f64);
    for own in each(&plan) {
        let seen = if several { own.length.samples as f64 } else { count(&own, "train") as f64 };
        let mut bench = Bench::new(Prepared { plan: own, model })?;
        let timed = timed(&mut bench, several)?;
        pass += seen * timed.sample;
        forward = forward.max(timed.forward);
        model = bench.into_prepared()?.model;
    }
    Ok(Cost { setup, sample: pass / count(&plan, "train").max(1) as f64, forward })
}

/// What a sample of one stream costs, in seconds.
struct Timed {
    sample: f64,
    forward: f64,
}

fn timed(bench: &mut Bench, several: bool) -> Result<Timed, TrainError> {
    const UPDATES: usize = 3;
    let began = Instant::now();
    let _ = forward(bench.runner(), &bench.first, false)?;
    let forward = began.elapsed().as_secs_f64() / bench.first.labels.len().max(1) as f64;
    let mut batches = bench.runner().feed.train(0, 0)?;
    let mut fastest = f64::INFINITY;
    for number in 0..UPDATES {
        let read = Instant::now();
        let Some(mut update) = batches.next_update(1)? else { break };
        let read = read.elapsed().as_secs_f64();
        // what rests in one stream moves in another: nothing of it is kept
        if !several {
            for batch in std::mem::take(&mut update.batches) {
                update.batches.push(bench.short(batch)?);
            }
        }
        let samples: usize = update.batches.iter().map(|batch| batch.labels.len()).sum();
        let began = Instant::now();
        match bench.gradients(&update, number as u64) {
            Ok(mut half) => bench.job.apply(&mut half, 0.0)?,
            Err(TrainError::Diverged { .. }) => {}
            Err(error) => return Err(error),
        }
        // the first update compiles kernels; the loader reads while an update runs
        let seconds = began.elapsed().as_secs_f64().max(read);
        fastest = fastest.min(seconds / samples.max(1) as f64);
    }
    Ok(Timed { sample: if fastest.is_finite() { fastest } else { 3.0 * forward }, forward })
}
