//! What becomes of the columns of a table.

use luthier_recipe::Scale;
use serde::{Deserialize, Serialize};

/// What becomes of the columns of a table, and what the training rows hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TablePlan {
    /// Feature columns, in the order the model sees them
    pub features: Vec<FeaturePlan>,
    /// Name of the column of classes; `None` for a regression
    pub class_column: Option<String>,
    /// Target columns of a regression, in the order of the model's outputs; none for classes
    pub targets: Vec<TargetPlan>,
    /// The first line of the files names the columns
    pub header: bool,
    /// Rows that stand in the files more than once
    #[serde(default)]
    pub repeats: Repeats,
}

/// Rows whose every cell, target included, is that of another row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// Training rows that are another training row, too
    pub train: u64,
    /// Validation rows that are a training row, too
    pub valid: u64,
    /// Line of the first of those in the validation file
    pub first: u64,
}

impl TablePlan {
    /// Numbers that a row is for the model: one per column of numbers, one per word of a column of words.
    pub fn width(&self) -> u64 {
        self.features.iter().map(FeaturePlan::width).sum()
    }
}

/// One feature column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeaturePlan {
    /// Its name, or its number where the file has no names
    pub name: String,
    /// What it holds
    pub kind: FeatureKind,
}

impl FeaturePlan {
    /// Numbers that the model sees of it.
    pub fn width(&self) -> u64 {
        match &self.kind {
            FeatureKind::Numbers { .. } => 1,
            FeatureKind::Words { words, .. } => words.len() as u64,
        }
    }
}

/// What a feature column holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FeatureKind {
    /// Numbers
    Numbers {
        /// Of the training rows, as they are in the file
        stats: ColumnStats,
        /// What is done to them
        scale: Scaling,
    },
    /// Words: one number for each, 1 where the row has it
    Words {
        /// The words of the training rows, sorted
        words: Vec<String>,
        /// Training rows of each
        counts: Vec<u64>,
    },
}

/// One target column of a regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetPlan {
    /// Its name, or its number where the file has no names
    pub name: String,
    /// Of the training rows, as they are in the file
    pub stats: ColumnStats,
    /// What is done to them
    pub scale: Scaling,
}

/// Figures of a column of numbers over the training rows, as they are in the file. Numbers that are not finite are
/// counted and otherwise left out; a column without a finite number has 0 everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnStats {
    /// Smallest
    pub min: f64,
    /// Largest
    pub max: f64,
    /// Mean
    pub mean: f64,
    /// Standard deviation over all of them (divided by n, not n − 1)
    pub std: f64,
    /// Finite numbers
    pub count: u64,
    /// Cells that are empty or not finite
    pub non_finite: u64,
}

/// The model sees (x − `shift`) / `divisor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Subtracted
    pub shift: f64,
    /// What the difference is divided by; 1 for a column that does not vary
    pub divisor: f64,
}

impl Scaling {
    /// What `scale` comes to for a column of these figures.
    pub fn fit(scale: Scale, stats: &ColumnStats) -> Self {
        let (shift, divisor) = match scale {
            Scale::None => (0.0, 1.0),
            Scale::Standardize => (stats.mean, stats.std),
            Scale::Minmax => (stats.min, stats.max - stats.min),
        };
        let usable = divisor.is_finite() && divisor > 0.0;
        Scaling { shift, divisor: if usable { divisor } else { 1.0 } }
    }

    /// As the model sees it.
    pub fn apply(&self, x: f64) -> f64 {
        (x - self.shift) / self.divisor
    }

    /// In the column's own units.
    pub fn undo(&self, scaled: f64) -> f64 {
        scaled * self.divisor + self.shift
    }
}

impl ColumnStats {
    /// The figures of these numbers.
    pub fn of(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let finite = numbers.clone().filter(|x| x.is_finite());
        let count = finite.clone().count() as u64;
        let non_finite = numbers.count() as u64 - count;
        if count == 0 {
            return ColumnStats { non_finite, ..ColumnStats::default() };
        }
        // the largest magnitude out of the way first: squares of 1e200 overflow
        let (min, max) =
            finite.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (min.min(x), max.max(x)));
        let unit = min.abs().max(max.abs()).max(f64::MIN_POSITIVE);
        let mean = finite.clone().map(|x| x / unit).sum::<f64>() / count as f64;
        let variance = finite.map(|x| (x / unit - mean).powi(2)).sum::<f64>() / count as f64;
        // a column of one number has no deviation, whatever the sums rounded to
        let std = if min == max { 0.0 } else { variance.sqrt() * unit };
        ColumnStats { min, max, mean: mean * unit, std, count, non_finite }
    }
}
