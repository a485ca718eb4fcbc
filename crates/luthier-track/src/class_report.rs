use serde::Serialize;

/// How well each class is told from the others; values as scikit-learn's `classification_report`, with a zero
/// where a division by zero would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassificationReport {
    /// One row per class, in label order
    pub classes: Vec<ClassScore>,
    /// Share of right answers
    pub accuracy: f64,
    /// Mean over classes, each counted once
    pub macro_average: Score,
    /// Mean over classes, each counted by its samples
    pub weighted_average: Score,
    /// Number of samples
    pub support: u64,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScore {
    /// Class name
    pub name: String,
    /// Its scores
    #[serde(flatten)]
    pub score: Score,
    /// Samples of this class
    pub support: u64,
}

/// Three numbers between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Score {
    /// Of those taken for the class, the share that is of it
    pub precision: f64,
    /// Of those of the class, the share that is taken for it
    pub recall: f64,
    /// Harmonic mean of the two
    pub f1: f64,
}

/// Scores of every class from `confusion[truth][guess]` (square; a missing cell is a zero). A class without a name
/// is called by its number.
pub fn classification_report<S: AsRef<str>>(confusion: &[Vec<u64>], classes: &[S]) -> ClassificationReport {
    let count = |truth: usize, guess: usize| {
        confusion.get(truth).and_then(|row| row.get(guess)).copied().unwrap_or(0) as f64
    };
    let labels = 0..confusion.len();
    let mut rows = Vec::with_capacity(confusion.len());
    let (mut right, mut total) = (0.0, 0.0);
    for class in labels.clone() {
        let hits = count(class, class);
        let support: f64 = labels.clone().map(|guess| count(class, guess)).sum();
        let guessed: f64 = labels.clone().map(|truth| count(truth, class)).sum();
        let score = Score {
            precision: ratio(hits, guessed),
            recall: ratio(hits, support),
            f1: ratio(2.0 * hits, support + guessed),
        };
        let name = classes.get(class).map_or_else(|| class.to_string(), |name| name.as_ref().to_owned());
        rows.push(ClassScore { name, score, support: support as u64 });
        right += hits;
        total += support;
    }
    let average = |weight: &dyn Fn(&ClassScore) -> f64| {
        let weights: f64 = rows.iter().map(weight).sum();
        let mean = |pick: fn(&Score) -> f64| {
            ratio(rows.iter().map(|row| pick(&row.score) * weight(row)).sum(), weights)
        };
        Score { precision: mean(|s| s.precision), recall: mean(|s| s.recall), f1: mean(|s| s.f1) }
    };
    let macro_average = average(&|_| 1.0);
    let weighted_average = average(&|row| row.support as f64);
    ClassificationReport {
        accuracy: ratio(right, total),
        macro_average,
        weighted_average,
        support: total as u64,
        classes: rows,
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
