//! The learning rate range test (Smith 2015, "Cyclical learning rates for training neural networks", arXiv 1506.01186):
//! one update at each of many rates, each larger than the one before by the same factor.

use std::path::{Path, PathBuf};
use std::time::Duration;

use luthier_track::{CurvePlot, TrackError, curve_plot};
use luthier_train::{Prepared, TrainError};
use serde::{Deserialize, Serialize};

use crate::bench::Bench;
use crate::clock::Clock;

const LOWEST: f64 = 1e-8;
const HIGHEST: f64 = 10.0;
const STEPS: usize = 100;
/// The sweep ends when the smoothed loss is so many times its best.
const BLOWN_UP: f64 = 4.0;
/// Share of the loss before that stays in the smoothed one: about three updates, a third of a decade.
const SMOOTHING: f64 = 0.7;

/// Loss over the learning rate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LrCurve {
    /// Rates, of a group without a scale of its own
    pub rates: Vec<f64>,
    /// Loss of the batch before its update
    pub losses: Vec<f64>,
    /// The same, smoothed
    pub smooth: Vec<f64>,
    /// Where the smoothed loss falls fastest; `None` where it does not fall
    pub steepest: Option<f64>,
    /// A tenth of the rate with the lowest smoothed loss
    pub tenth: Option<f64>,
    /// The rate at which the loss blew up; `None` where it did not
    pub blown_up: Option<f64>,
    /// The recipe's own rate
    pub recipe: f64,
}

/// Sweeps the rate from 1e-8 to 10 over the recipe's own batches and optimizer, and hands the model back as it was.
///
/// # Errors
/// A batch cannot be made.
pub fn find_lr(prepared: Prepared, budget: Duration) -> Result<(LrCurve, Prepared), TrainError> {
    let clock = Clock::new(budget);
    let mut bench = Bench::new(prepared)?;
    let curve = sweep(&mut bench, clock)?;
    Ok((curve, bench.into_prepared()?))
}

fn sweep(bench: &mut Bench, clock: Clock) -> Result<LrCurve, TrainError> {
    bench.reset()?;
    let accumulated = bench.plan().recipe.train.grad_accum;
    let mut curve = LrCurve { recipe: bench.plan().recipe.optim.lr, ..LrCurve::default() };
    let growth = (HIGHEST / LOWEST).powf(1.0 / (STEPS - 1) as f64);
    let (mut average, mut best) = (0.0, f64::INFINITY);
    let mut epoch = 0;
    let mut batches = bench.runner().feed.train(epoch, 0)?;
    for step in 0..STEPS {
        if clock.over() {
            break;
        }
        let mut update = match batches.next_update(accumulated)? {
            Some(update) => update,
            None => {
                epoch += 1;
                batches = bench.runner().feed.train(epoch, 0)?;
                batches.next_update(accumulated)?.ok_or(TrainError::Unreadable(step as u64 + 1))?
            }
        };
        for batch in std::mem::take(&mut update.batches) {
            update.batches.push(bench.short(batch)?);
        }
        let rate = LOWEST * growth.powi(step as i32);
        let mut half = match bench.gradients(&update, step as u64) {
            Ok(half) => half,
            Err(TrainError::Diverged { .. }) => {
                curve.blown_up = Some(rate);
                break;
            }
            Err(error) => return Err(error),
        };
        bench.job.apply(&mut half, rate / curve.recipe)?;
        average = SMOOTHING * average + (1.0 - SMOOTHING) * half.end.loss;
        let smooth = average / (1.0 - SMOOTHING.powi(step as i32 + 1));
        curve.rates.push(rate);
        curve.losses.push(half.end.loss);
        curve.smooth.push(smooth);
        best = best.min(smooth);
        if smooth > BLOWN_UP * best {
            curve.blown_up = Some(rate);
            break;
        }
    }
    suggest(&mut curve);
    Ok(curve)
}

/// Reads the two suggestions off the smoothed curve.
fn suggest(curve: &mut LrCurve) {
    let lowest = (0..curve.smooth.len()).min_by(|a, b| curve.smooth[*a].total_cmp(&curve.smooth[*b]));
    let Some(lowest) = lowest.filter(|at| curve.smooth[*at] < 0.99 * curve.smooth[0]) else { return };
    curve.tenth = Some(curve.rates[lowest] / 10.0);
    // over five rates, half a decade, so that one lucky batch does not decide
    let fall = |at: &usize| curve.smooth[*at + 2] - curve.smooth[*at - 2];
    let inner = 2..lowest.saturating_sub(1);
    let steepest = inner.min_by(|a, b| fall(a).total_cmp(&fall(b))).filter(|at| fall(at) < 0.0);
    curve.steepest = steepest.map(|at| curve.rates[at]);
}

impl LrCurve {
    /// Draws the curve: `stem` with the endings `.svg`, `.png` and `.pdf`. Says what it wrote; nothing without points.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn draw(&self, stem: &Path) -> Result<Vec<PathBuf>, TrackError> {
        let points = |losses: &[f64]| self.rates.iter().copied().zip(losses.iter().copied()).collect();
        let mut marks = vec![("Recipe".to_owned(), self.recipe)];
        marks.extend(self.steepest.map(|rate| ("Steepest descent".to_owned(), rate)));
        marks.extend(self.tenth.map(|rate| ("A tenth of the minimum".to_owned(), rate)));
        curve_plot(
            stem,
            &CurvePlot {
                title: "Loss over the learning rate".into(),
                x_label: "Learning rate".into(),
                y_label: "Loss".into(),
                log_x: true,
                log_y: false,
                curves: vec![
                    ("Loss".into(), points(&self.losses)),
                    ("Smoothed".into(), points(&self.smooth)),
                ],
                marks,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails should fail")]

    use super::*;

    #[test]
    fn suggestions_are_read_off_the_smoothed_curve() {
        let rates: Vec<f64> = (0..11).map(|at| 10f64.powi(at - 10)).collect();
        let smooth = vec![2.0, 2.0, 2.0, 1.9, 1.5, 0.8, 0.4, 0.2, 0.5, 3.0, 9.0];
        let mut curve = LrCurve { rates, losses: smooth.clone(), smooth, ..LrCurve::default() };
        suggest(&mut curve);
        // the lowest is at 1e-3; from 1.9 to 0.4 around 1e-5
        assert!((curve.tenth.unwrap() / 1e-4 - 1.0).abs() < 1e-9);
        assert!((curve.steepest.unwrap() / 1e-5 - 1.0).abs() < 1e-9, "{:?}", curve.steepest);
    }

    #[test]
    fn a_curve_that_does_not_fall_suggests_nothing() {
        let mut curve = LrCurve { rates: vec![1e-8, 1e-7], smooth: vec![1.0, 1.2], ..LrCurve::default() };
        suggest(&mut curve);
        assert_eq!((curve.steepest, curve.tenth), (None, None));
    }
}
