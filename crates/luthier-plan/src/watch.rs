//! What a run's own history says of its next loss: is it a spike, and has the run gone off for good?
//!
//! Nothing here compares with a number that someone thought was large. A loss is held against the run's last losses, on
//! a linear and on a logarithmic scale at once, because losses of small batches spread over orders of magnitude; the
//! level of the run is held against its start and against what a model that knows nothing has.

use std::collections::VecDeque;

use luthier_recipe::{ContrastiveLoss, TripletMargin};
use serde::{Deserialize, Serialize};

use crate::Plan;

/// Code of the rule: numbers that go into the network are not finite.
pub const BAD_INPUT: &str = "DAT101";
/// Code of the rule: the loss, a weight, an output or a gradient is not finite.
pub const NOT_FINITE: &str = "LOS101";
/// Code of the rule: the loss has stayed far above where the run began.
pub const GONE_OFF: &str = "LOS102";

/// Losses and gradient norms that are remembered.
const MEMORY: usize = 50;
/// Losses that there must be before one can be a spike.
const ENOUGH: usize = 20;
/// Robust standard deviations above the median, on both scales. At 6 a normal draw is one in 10⁹.
const SIGMAS: f64 = 6.0;
/// From a median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_STD: f64 = 1.4826;
/// A spike is above the largest loss in memory by this factor, too: bursts of hard samples are no spikes.
const ABOVE_LARGEST: f64 = 1.5;
/// Updates between two spikes that are looked into: running a step's forward pass again must stay rare.
const COOLDOWN: u64 = 50;

/// Losses that a regression's start is the median of. They must be few: the second one is from after the first update,
/// which may be the one that threw the run off.
const START: usize = 3;
/// Losses that decide where the run is.
const LEVEL: usize = 20;
/// How many of them must be above the limit: the lower quartile is.
const LEVEL_ABOVE: usize = 16;
/// Times the start (or what knowing nothing costs) that is far above it.
const FAR: f64 = 3.0;
/// The same where it is not known what knowing nothing costs: a good start may have been luck.
const FAR_UNKNOWN: f64 = 10.0;

/// What a run remembers of its last updates. Part of a checkpoint, so that a resumed run judges as an uninterrupted one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Watch {
    losses: VecDeque<f64>,
    norms: VecDeque<f64>,
    start: Vec<f64>,
    /// Update at which the level rose above the limit
    rose: Option<u64>,
    /// Update of the last spike
    spiked: Option<u64>,
}

/// A loss far above the run's last ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rise {
    /// Median of the last losses
    pub median: f64,
    /// The loss from which on it is a spike
    pub limit: f64,
}

/// A run that has gone off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gone {
    /// Median of the last losses
    pub level: f64,
    /// What it is held against: the start of the run, or what a model that knows nothing has
    pub start: f64,
    /// Update since which it is so
    pub since: u64,
}

/// The loss of a model that knows nothing: ln C of a classifier, ln(K + 1) of a contrast with K keys, ln(K + N) where those
/// of its batch of N are candidates too, and as much for clusters, ln(2N − 1) of one within a batch of N, the margin of
/// triplets; of several heads the sum by their weights; `None` where there is no such theory.
pub fn chance(plan: &Plan) -> Option<f64> {
    if plan.recipe.contrasts_in_batch() {
        return Some(plan.recipe.contrasts().into_iter().map(|loss| of_one_point(plan, loss)).sum());
    }
    if let Some(contrast) = &plan.recipe.contrastive {
        let own = if contrast.in_batch { plan.recipe.train.batch_size } else { 1 };
        let keys = (contrast.queue() as f64 + own as f64).ln();
        let clusters = contrast.prototypes.as_ref().map_or(0.0, |prototypes| {
            let mean = |sum: f64| sum / prototypes.clusters.len().max(1) as f64;
            mean(prototypes.clusters.iter().map(|clusters| (*clusters as f64).ln()).sum())
        });
        return Some(keys + clusters);
    }
    let of = |classes: usize| (classes as f64).ln();
    if !plan.data.tasks.is_empty() {
        let tasks = plan.data.tasks.iter().filter(|task| task.classes.len() >= 2);
        return Some(tasks.map(|task| task.weight * of(task.classes.len())).sum());
    }
    let classes = plan.data.classes.len();
    (classes >= 2).then(|| of(classes))
}

/// The loss of a contrast within batches where all embeddings are one.
fn of_one_point(plan: &Plan, loss: ContrastiveLoss) -> f64 {
    let triplet = plan.recipe.contrastive.as_ref().and_then(|contrast| contrast.triplet.clone());
    match (loss, triplet.map(|triplet| triplet.margin)) {
        (ContrastiveLoss::Triplet, Some(TripletMargin::Hinge(margin))) => margin,
        (ContrastiveLoss::Triplet, _) => std::f64::consts::LN_2,
        _ => ((plan.views() * plan.recipe.train.batch_size).max(3) as f64 - 1.0).ln(),
    }
}

impl Watch {
    /// Whether `loss`, that of update `update`, is a spike. To be asked before [`Watch::observe`].
    pub fn spike(&self, update: u64, loss: f64) -> Option<Rise> {
        let largest = self.losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let rests = self.spiked.is_some_and(|at| update < at + COOLDOWN);
        // most updates end here
        if rests || self.losses.len() < ENOUGH || loss.is_nan() || loss <= ABOVE_LARGEST * largest {
            return None;
        }
        let (middle, spread) = spread(self.losses.iter().copied());
        // losses of 0 have no logarithm; those that small are all the same
        let (log_middle, log_spread) = spread_of_logs(&self.losses);
        let limit = (middle + SIGMAS * spread)
            .max((log_middle + SIGMAS * log_spread).exp())
            .max(ABOVE_LARGEST * largest);
        (loss > limit).then_some(Rise { median: middle, limit })
    }

    /// Takes note of update `update`; `spiked` says that [`Watch::spike`] called it one.
    pub fn observe(&mut self, update: u64, loss: f64, grad_norm: f64, spiked: bool, chance: Option<f64>) {
        if spiked {
            self.spiked = Some(update);
        }
        push(&mut self.losses, loss);
        // of an update that was skipped there is none
        if grad_norm.is_finite() {
            push(&mut self.norms, grad_norm);
        }
        if self.start.len() < START {
            self.start.push(loss);
        }
        let limit = self.limit(chance);
        let above = self.losses.iter().rev().take(LEVEL).filter(|loss| **loss > limit).count();
        self.rose = (above >= LEVEL_ABOVE).then(|| self.rose.unwrap_or(update));
    }

    /// Whether the run has gone off: the lower quartile of its last losses has been far above its start for a tenth of
    /// the run's `updates`, at least 10 updates and at most 50.
    pub fn gone(&self, update: u64, updates: u64, chance: Option<f64>) -> Option<Gone> {
        let since = self.rose?;
        if update < since + (updates / 10).clamp(10, 50) {
            return None;
        }
        let level = median(self.losses.iter().rev().take(LEVEL).copied());
        Some(Gone { level, start: self.base(chance), since })
    }

    /// Most of the last five losses are far above the start: weights that are not worth going back to.
    pub fn is_up(&self, chance: Option<f64>) -> bool {
        let limit = self.limit(chance);
        self.losses.iter().rev().take(5).filter(|loss| **loss > limit).count() >= 3
    }

    /// What the last gradient norms were doing, as a sentence; `None` before the second update.
    pub fn growth(&self) -> Option<String> {
        let last: Vec<f64> = self.norms.iter().rev().take(5).rev().copied().collect();
        if last.len() < 2 {
            return None;
        }
        let middle = median(self.norms.iter().copied());
        let list = last.iter().map(|norm| format!("{norm:.3e}")).collect::<Vec<_>>().join(", ");
        let times = last.last().copied().unwrap_or(0.0) / middle;
        let verb = if times > 10.0 {
            format!("it grew to {times:.1e} times its median")
        } else {
            "it did not grow before".into()
        };
        Some(format!("the gradient norm of the last {} updates was {list}: {verb}", last.len()))
    }

    fn base(&self, chance: Option<f64>) -> f64 {
        let first = self.start.first().copied().unwrap_or(0.0);
        chance.map_or_else(|| median(self.start.iter().copied()), |chance| chance.max(first))
    }

    fn limit(&self, chance: Option<f64>) -> f64 {
        self.base(chance) * if chance.is_some() { FAR } else { FAR_UNKNOWN }
    }
}

fn push(memory: &mut VecDeque<f64>, value: f64) {
    if memory.len() == MEMORY {
        memory.pop_front();
    }
    memory.push_back(value);
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.get(half) {
        None => 0.0,
        Some(upper) if sorted.len() % 2 == 1 => *upper,
        Some(upper) => f64::midpoint(sorted[half - 1], *upper),
    }
}

/// Median and robust standard deviation.
fn spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let middle = median(values.clone());
    (middle, MAD_TO_STD * median(values.map(|value| (value - middle).abs())))
}

fn spread_of_logs(losses: &VecDeque<f64>) -> (f64, f64) {
    spread(losses.iter().map(|loss| loss.max(1e-12).ln()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform in (0, 1), by a hash of the number (SplitMix64).
    fn draw(n: u64) -> f64 {
        let mut bits = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + 1e-17
    }

    /// Standard normal (Box & Muller 1958).
    fn normal(n: u64) -> f64 {
        (-2.0 * draw(2 * n).ln()).sqrt() * (std::f64::consts::TAU * draw(2 * n + 1)).cos()
    }

    /// Spikes, and whether the run was called gone.
    fn run(updates: u64, chance: Option<f64>, loss: impl Fn(u64) -> f64) -> (Vec<u64>, bool) {
        let (mut watch, mut spikes, mut gone) = (Watch::default(), Vec::new(), false);
        for update in 1..=updates {
            let loss = loss(update);
            let spike = watch.spike(update, loss).is_some();
            watch.observe(update, loss, loss, spike, chance);
            gone |= watch.gone(update, updates, chance).is_some();
            if spike {
                spikes.push(update);
            }
        }
        (spikes, gone)
    }

    #[test]
    fn healthy_noise_is_left_alone() {
        let ten = Some(10f64.ln());
        let falling = |update: u64| 0.02 + 2.3 * (-(update as f64) / 300.0).exp();
        for seed in 0..20 {
            let n = |update: u64| update + 100_000 * seed;
            // a batch of 64: a tenth of the loss; high dropout: four tenths; one sample: orders of magnitude
            for noise in [0.1, 0.4, 1.0, 2.0] {
                let (spikes, gone) =
                    run(5000, ten, |update| falling(update) * (noise * normal(n(update))).exp());
                assert!(spikes.len() <= 2 && !gone, "noise {noise}, seed {seed}: {spikes:?}, {gone}");
            }
            // one sample a batch, a fifth of the labels wrong: most losses next to nothing, some of them 5
            let (spikes, gone) = run(5000, ten, |update| {
                if draw(n(update)) < 0.2 {
                    3.0 + 2.0 * draw(n(update) + 7)
                } else {
                    1e-4 * (2.0 * normal(n(update))).exp()
                }
            });
            assert!(spikes.len() <= 2 && !gone, "label noise, seed {seed}: {spikes:?}, {gone}");
            // it starts at next to nothing, and a fresh dropout lifts it for a while
            let (_, gone) = run(1000, ten, |update| if update < 20 { 0.01 } else { falling(update) });
            assert!(!gone);
        }
    }

    #[test]
    fn a_bad_batch_is_a_spike_and_a_run_that_leaves_is_gone() {
        let ten = Some(10f64.ln());
        let noisy = |update: u64| 0.5 * (0.1 * normal(update)).exp();
        let (spikes, gone) = run(300, ten, |update| if update == 200 { 2.5 } else { noisy(update) });
        assert_eq!((spikes, gone), (vec![200], false));
        let up = |update: u64| if update < 100 { noisy(update) } else { 20.0 * (0.3 * normal(update)).exp() };
        assert!(run(400, ten, up).1);
        // regression: nobody knows what is much, so it takes ten times the start
        // thrown off by its very first update
        assert!(run(60, ten, |update| if update == 1 { 2.3 } else { 300.0 + update as f64 }).1);
        let slow = |update: u64| (update as f64 / 40.0).exp();
        assert!(run(400, None, slow).1);
        assert!(!run(400, None, |update| 1.0 + 4.0 * (update as f64 / 400.0)).1);
    }

    #[test]
    fn a_resumed_watch_is_the_same() {
        let mut watch = Watch::default();
        for update in 1..90 {
            watch.observe(update, normal(update).exp(), draw(update), false, None);
        }
        let again: Watch = serde_json::from_str(&serde_json::to_string(&watch).unwrap()).unwrap();
        assert_eq!(again, watch);
        assert!(watch.growth().unwrap().contains("did not grow"));
    }
}
