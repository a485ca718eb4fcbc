//! Learning-rate curves as pure functions: the factor of every update is known before the first one.
//!
//! Arithmetic is `torch.optim.lr_scheduler`'s, in closed form. One factor serves all groups: a group's rate is its own
//! base rate times the factor, so absolute numbers (`eta_min`, `max_lr`, `min_lr`) are meant for the base group.

use luthier_recipe::{Anneal, Curve, Schedule, Unit};
use serde::{Deserialize, Serialize};

use crate::Length;

/// The factor of every update of the run; empty for a curve that depends on metrics.
///
/// With warm-up, a curve that counts steps begins after the rise; one that counts epochs keeps its epochs, and the rise
/// is multiplied onto it.
pub fn factors(schedule: &Schedule, base_lr: f64, length: &Length) -> Vec<f64> {
    if matches!(schedule.curve, Curve::ReduceLROnPlateau { .. }) {
        return Vec::new();
    }
    (0..length.updates)
        .map(|update| ramp(schedule, update) * curve(schedule, base_lr, length, update))
        .collect()
}

/// The rise of the warm-up at `update`: `start` at the first, 1 from `steps` on.
pub fn ramp(schedule: &Schedule, update: u64) -> f64 {
    let warmup = schedule.warmup;
    if update >= warmup.steps {
        return 1.0;
    }
    warmup.start + (1.0 - warmup.start) * update as f64 / warmup.steps as f64
}

fn curve(schedule: &Schedule, base_lr: f64, length: &Length, update: u64) -> f64 {
    let warmup = schedule.warmup.steps;
    let (t, whole) = match schedule.unit {
        Unit::Epoch => (update / length.updates_per_epoch.max(1), length.epochs),
        Unit::Step => (update.saturating_sub(warmup), length.updates.saturating_sub(warmup)),
    };
    let time = t as f64;
    match &schedule.curve {
        Curve::Constant | Curve::ReduceLROnPlateau { .. } => 1.0,
        Curve::StepLR { step_size, gamma } => gamma.powf((t / (*step_size).max(1)) as f64),
        Curve::MultiStepLR { milestones, gamma } => {
            gamma.powf(milestones.iter().filter(|milestone| **milestone <= t).count() as f64)
        }
        Curve::ExponentialLR { gamma } => gamma.powf(time),
        Curve::CosineAnnealingLR { t_max, eta_min } => {
            let low = eta_min / base_lr;
            let period = t_max.unwrap_or(whole).max(1) as f64;
            low + (1.0 - low) * (1.0 + (std::f64::consts::PI * time / period).cos()) / 2.0
        }
        Curve::LinearLR { start_factor, end_factor, total_iters } => {
            let total = total_iters.unwrap_or(whole).max(1) as f64;
            start_factor + (end_factor - start_factor) * (time.min(total) / total)
        }
        Curve::OneCycleLR { max_lr, pct_start, div_factor, final_div_factor, anneal_strategy } => {
            let high = max_lr.unwrap_or(base_lr) / base_lr;
            let first = high / div_factor;
            let last = first / final_div_factor;
            let total = whole as f64;
            let turn = pct_start * total - 1.0;
            let end = total - 1.0;
            let between = |from: f64, to: f64, share: f64| match anneal_strategy {
                Anneal::Cos => to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share).cos()),
                Anneal::Linear => from + (to - from) * share,
            };
            if time <= turn {
                between(first, high, if turn > 0.0 { time / turn } else { 1.0 })
            } else if end > turn {
                between(high, last, ((time - turn) / (end - turn)).min(1.0))
            } else {
                last
            }
        }
    }
}

/// The state of `ReduceLROnPlateau`, the one curve that cannot be known before the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Current factor
    pub factor: f64,
    /// Best metric so far
    pub best: Option<f64>,
    /// Evaluations since then
    pub bad: u64,
}

impl Default for Plateau {
    fn default() -> Self {
        Plateau { factor: 1.0, best: None, bad: 0 }
    }
}

impl Plateau {
    /// Hears one evaluation; `higher_is_better` as the metric says. The threshold is relative, as is PyTorch's default.
    pub fn observe(&mut self, schedule: &Schedule, base_lr: f64, metric: f64, higher_is_better: bool) {
        let Curve::ReduceLROnPlateau { factor, patience, threshold, min_lr } = &schedule.curve else {
            return;
        };
        let better = match self.best {
            None => true,
            Some(best) if higher_is_better => metric > best * (1.0 + threshold),
            Some(best) => metric < best * (1.0 - threshold),
        };
        if better {
            self.best = Some(metric);
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.bad > *patience {
            self.bad = 0;
            let reduced = (self.factor * factor).max(min_lr / base_lr);
            // PyTorch leaves the rate alone where the drop would be smaller than this
            if (self.factor - reduced) * base_lr > 1e-8 {
                self.factor = reduced;
            }
        }
    }
}
