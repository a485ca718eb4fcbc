//! The loss scale of fp16, as `torch.amp.GradScaler` moves it.
//!
//! fp16 ends at 65504 above and at 6e-8 below, and gradients are small: the loss is multiplied by a scale before the
//! backward pass, and the gradients, which are fp32 by then, divided by it before anything reads them. A gradient that is
//! not finite says that the scale was too large.

use luthier_plan::ResolvedPrecision;
use luthier_recipe::{GradScaler, Train};
use serde::{Deserialize, Serialize};

/// A scale below this helps nobody: a loss of 1 is no longer a normal number of fp16.
const LEAST: f32 = 6.103_515_6e-5;

/// Where a loss scale stands: part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// What the next loss is multiplied by; a power of two unless the recipe has it otherwise
    pub scale: f32,
    /// Updates without an overflow since the scale moved last
    pub growth: u64,
    /// Updates that were skipped, one after the other, up to now
    pub in_a_row: u64,
    /// Updates that were skipped since the optimizer was new
    pub skipped: u64,
}

/// The loss scale of an optimizer.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaler {
    asked: GradScaler,
    now: Scaling,
}

impl Scaler {
    /// The scale of a run's first update; `None` where nothing is scaled.
    pub fn new(train: &Train, precision: ResolvedPrecision) -> Option<Self> {
        (precision == ResolvedPrecision::Fp16).then(|| Scaler::of(train.grad_scaler))
    }

    /// A scale by these numbers.
    pub fn of(asked: GradScaler) -> Self {
        let now = Scaling { scale: asked.init_scale as f32, growth: 0, in_a_row: 0, skipped: 0 };
        Scaler { asked, now }
    }

    /// What a loss is multiplied by.
    pub fn scale(&self) -> f64 {
        f64::from(self.now.scale)
    }

    /// What a gradient is multiplied by to be the loss's own: rounded to fp32, as PyTorch does.
    pub fn inverse(&self) -> f64 {
        f64::from((1.0 / self.scale()) as f32)
    }

    /// The gradients of an update were finite, or were not: `GradScaler.update`.
    pub fn update(&mut self, finite: bool) {
        let now = &mut self.now;
        if finite {
            now.in_a_row = 0;
            now.growth += 1;
            if now.growth == self.asked.growth_interval {
                let grown = (f64::from(now.scale) * self.asked.growth_factor) as f32;
                now.scale = if grown.is_finite() { grown } else { now.scale };
                now.growth = 0;
            }
        } else {
            now.scale = (f64::from(now.scale) * self.asked.backoff_factor) as f32;
            now.growth = 0;
            now.in_a_row += 1;
            now.skipped += 1;
        }
    }

    /// Whether there is no use in lowering the scale once more.
    pub fn is_exhausted(&self) -> bool {
        self.scale() * self.asked.backoff_factor < f64::from(LEAST)
    }

    /// Where it stands.
    pub fn state(&self) -> Scaling {
        self.now
    }

    /// Goes on where a checkpoint was written.
    pub fn restore(&mut self, state: Scaling) {
        self.now = state;
    }

    /// The optimizer is a new one; the scale stays.
    pub fn forget(&mut self) {
        self.now.skipped = 0;
    }
}

#[cfg(test)]
mod tests {
    use luthier_recipe::GradScaler;

    use super::Scaler;

    #[test]
    fn a_scale_that_no_loss_survives_is_the_last_one() {
        let mut scaler = Scaler::of(GradScaler::default());
        let mut skipped = 0;
        while !scaler.is_exhausted() {
            scaler.update(false);
            skipped += 1;
        }
        assert_eq!((skipped, scaler.scale()), (30, 2f64.powi(-14)));
    }

    #[test]
    fn a_scale_does_not_grow_past_what_fp32_holds() {
        let mut scaler = Scaler::of(GradScaler { growth_interval: 1, ..GradScaler::default() });
        for _ in 0..200 {
            scaler.update(true);
        }
        assert_eq!(scaler.scale(), 2f64.powi(127));
    }
}
