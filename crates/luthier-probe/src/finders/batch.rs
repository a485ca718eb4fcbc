//! Batch sizes, doubled until memory, time or samples end: what each costs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use luthier_track::{CurvePlot, TrackError, curve_plot};
use luthier_train::{Prepared, TrainError};
use serde::{Deserialize, Serialize};

use super::memory;
use crate::bench::Bench;
use crate::clock::Clock;
use crate::samples::{one, update_of};

/// Updates that are timed at each size, after one that warms up.
const TIMED: u32 = 2;
/// A size within this share of the fastest is as fast.
const AS_FAST: f64 = 0.95;
/// Share of the memory that can be had which is used when no limit is given.
const CAREFUL: f64 = 0.8;

/// What ends the search.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Memory that the process may take, in bytes; four fifths of what the machine can give if `None`
    pub bytes: Option<u64>,
    /// Wall time
    pub budget: Duration,
}

/// What one batch size costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BatchPoint {
    /// Samples
    pub size: u64,
    /// Seconds of an update: forward, backward, step
    pub seconds: f64,
    /// Samples per second of it
    pub throughput: f64,
    /// Largest memory of the process in it, in bytes; `None` where the system does not tell
    pub bytes: Option<u64>,
}

/// What batch sizes cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchCurve {
    /// Sizes, rising
    pub points: Vec<BatchPoint>,
    /// The largest that was run and stayed below the limit
    pub largest: Option<u64>,
    /// The smallest that is about as fast, sample for sample, as any
    pub fastest: Option<u64>,
    /// Memory that the process may take, in bytes
    pub limit: Option<u64>,
    /// Why the search ended, as a sentence
    pub ended: String,
    /// The recipe's own size
    pub recipe: u64,
}

/// Times updates of 1, 2, 4 … training samples, and hands the model back as it was.
///
/// # Errors
/// A batch cannot be made.
pub fn find_batch(prepared: Prepared, limits: BatchLimits) -> Result<(BatchCurve, Prepared), TrainError> {
    let clock = Clock::new(limits.budget);
    let mut bench = Bench::new(prepared)?;
    let curve = double(&mut bench, limits.bytes, clock)?;
    Ok((curve, bench.into_prepared()?))
}

fn double(bench: &mut Bench, bytes: Option<u64>, clock: Clock) -> Result<BatchCurve, TrainError> {
    let base = memory::resident();
    let can_give = memory::available().zip(base).map(|(more, own)| own + (more as f64 * CAREFUL) as u64);
    let mut curve = BatchCurve {
        limit: bytes.or(can_give),
        recipe: bench.plan().recipe.train.batch_size,
        ended: "there are no more training samples".into(),
        ..BatchCurve::default()
    };
    // statistics of a batch need two
    let mut size = 2_usize;
    while size <= bench.order.len() {
        let last = curve.points.last();
        // what a batch takes grows with it
        let wanted = last.and_then(|last| Some((last.bytes?.saturating_sub(base?)) * 2 + base?));
        if wanted.zip(curve.limit).is_some_and(|(wanted, limit)| wanted > limit) {
            curve.ended = format!("{size} samples would take more memory than the limit");
            break;
        }
        if last.is_some_and(|last| 2.0 * last.seconds * f64::from(TIMED + 1) > clock.left()) {
            curve.ended = format!("{size} samples would take longer than the budget");
            break;
        }
        let point = timed(bench, size)?;
        curve.points.push(point);
        if point.bytes.zip(curve.limit).is_some_and(|(bytes, limit)| bytes > limit) {
            curve.ended = format!("{size} samples take more memory than the limit");
            break;
        }
        curve.largest = Some(point.size);
        size *= 2;
    }
    let best = curve.points.iter().map(|point| point.throughput).fold(0.0, f64::max);
    curve.fastest =
        curve.points.iter().find(|point| point.throughput >= AS_FAST * best).map(|point| point.size);
    Ok(curve)
}

fn timed(bench: &mut Bench, size: usize) -> Result<BatchPoint, TrainError> {
    bench.reset()?;
    let indices = bench.order.iter().take(size).copied().collect();
    let batch = bench.short(one(bench.runner(), "train", true, indices)?)?;
    let update = update_of(vec![batch]);
    memory::forget_peak();
    let mut seconds = 0.0;
    for number in 0..=TIMED {
        let began = Instant::now();
        let mut half = bench.gradients(&update, u64::from(number))?;
        // a rate of nothing: the same work, and nothing diverges
        bench.job.apply(&mut half, 0.0)?;
        if number > 0 {
            seconds += began.elapsed().as_secs_f64() / f64::from(TIMED);
        }
    }
    Ok(BatchPoint { size: size as u64, seconds, throughput: size as f64 / seconds, bytes: memory::peak() })
}

impl BatchCurve {
    /// Draws samples per second over the batch size: `stem` with the endings `.svg`, `.png` and `.pdf`. Says what it
    /// wrote; nothing without points.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn draw(&self, stem: &Path) -> Result<Vec<PathBuf>, TrackError> {
        let points = self.points.iter().map(|point| (point.size as f64, point.throughput)).collect();
        let mut marks = vec![("Recipe".to_owned(), self.recipe as f64)];
        marks.extend(self.fastest.map(|size| ("Smallest as fast as any".to_owned(), size as f64)));
        curve_plot(
            stem,
            &CurvePlot {
                title: "Speed over the batch size".into(),
                x_label: "Batch size".into(),
                y_label: "Samples per second".into(),
                log_x: true,
                log_y: false,
                curves: vec![("Samples per second".into(), points)],
                marks,
            },
        )
    }
}
