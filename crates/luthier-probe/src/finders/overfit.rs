//! One batch of the recipe's own size, until it is known by heart.

use std::path::{Path, PathBuf};
use std::time::Duration;

use luthier_doctor::FitFacts;
use luthier_track::{CurvePlot, TrackError, curve_plot};
use luthier_train::{Prepared, TrainError};
use serde::{Deserialize, Serialize};

use crate::bench::Bench;
use crate::clock::Clock;
use crate::fit::adam;
use crate::probes::{by_heart, learned};
use crate::samples::one;

/// Updates at most.
const STEPS: usize = 300;

/// How one batch was learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overfit {
    /// With the recipe's own optimizer and rate
    pub own: FitFacts,
    /// With Adam at 1e-3
    pub adam: FitFacts,
    /// The recipe's own got there
    pub learned: bool,
}

/// Fits one batch with the recipe's own optimizer and with Adam at 1e-3, and hands the model back as it was.
///
/// # Errors
/// A batch cannot be made.
pub fn overfit_one_batch(prepared: Prepared, budget: Duration) -> Result<(Overfit, Prepared), TrainError> {
    let clock = Clock::new(budget);
    let mut bench = Bench::new(prepared)?;
    let batch = one(bench.runner(), "train", false, bench.first.indices.clone())?;
    let own = by_heart(&mut bench, &batch, None, STEPS, clock.share(0.5))?;
    let adam = by_heart(&mut bench, &batch, Some(adam()), STEPS, clock)?;
    let curve = Overfit { learned: learned(&own), own, adam };
    Ok((curve, bench.into_prepared()?))
}

impl Overfit {
    /// Draws both losses: `stem` with the endings `.svg`, `.png` and `.pdf`. Says what it wrote; nothing without points.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn draw(&self, stem: &Path) -> Result<Vec<PathBuf>, TrackError> {
        let points = |fit: &FitFacts| {
            fit.losses.iter().enumerate().map(|(at, loss)| (at as f64, loss.max(1e-9))).collect()
        };
        let curves = vec![
            ("The recipe's optimizer".into(), points(&self.own)),
            ("Adam at 0.001".into(), points(&self.adam)),
        ];
        curve_plot(
            stem,
            &CurvePlot {
                title: "One batch learned by heart".into(),
                x_label: "Updates".into(),
                y_label: "Loss".into(),
                log_x: false,
                log_y: true,
                curves,
                marks: Vec::new(),
            },
        )
    }
}
