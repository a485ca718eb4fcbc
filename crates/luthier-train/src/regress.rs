//! How far a regression is off.

use luthier_plan::TargetPlan;
use serde::{Deserialize, Serialize};

/// What the model says about one row, in the targets' own units.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Estimate {
    /// Where the row is: `table:line`
    pub path: String,
    /// What the table says, one number per target column
    pub truth: Vec<f64>,
    /// What the model says
    pub value: Vec<f64>,
    /// Mean distance of the two over the columns, as the model sees them: scaled
    pub error: f64,
}

impl Estimate {
    /// From numbers as the model sees them.
    pub(crate) fn new(path: String, truth: &[f32], value: &[f32], targets: &[TargetPlan]) -> Self {
        let own = |numbers: &[f32]| -> Vec<f64> {
            numbers.iter().zip(targets).map(|(x, target)| target.scale.undo(f64::from(*x))).collect()
        };
        let off: f64 = truth.iter().zip(value).map(|(a, b)| f64::from((a - b).abs())).sum();
        Estimate { path, truth: own(truth), value: own(value), error: off / truth.len().max(1) as f64 }
    }
}

/// R² (mean over the target columns; `None` where one does not vary) and the mean absolute error.
pub(crate) fn scores(estimates: &[Estimate]) -> (Option<f64>, Option<f64>) {
    let columns = estimates.first().map_or(0, |estimate| estimate.truth.len());
    if columns == 0 {
        return (None, None);
    }
    let count = estimates.len() as f64;
    let pairs = |column: usize| estimates.iter().map(move |row| (row.truth[column], row.value[column]));
    let absolute = |column| pairs(column).map(|(y, guess)| (y - guess).abs()).sum::<f64>() / count;
    let explained = |column| {
        let mean = pairs(column).map(|(y, _)| y).sum::<f64>() / count;
        let all: f64 = pairs(column).map(|(y, _)| (y - mean).powi(2)).sum();
        let left: f64 = pairs(column).map(|(y, guess)| (y - guess).powi(2)).sum();
        (all > 0.0).then(|| 1.0 - left / all)
    };
    let r2: Option<f64> = (0..columns).map(explained).sum();
    let mae: f64 = (0..columns).map(absolute).sum();
    (r2.map(|sum| sum / columns as f64), Some(mae / columns as f64))
}
