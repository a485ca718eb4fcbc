//! Runs on one line each, and side by side.

use std::fs;
use std::path::Path;

use luthier_plan::Outcome;
use luthier_recipe::{Metric, Recipe};
use serde::Serialize;
use serde_json::Value;

use crate::{RunDir, TrackError};

/// A run on one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Name of its folder
    pub name: String,
    /// How it ended; `None` while it runs, or when it was killed
    pub outcome: Option<Outcome>,
    /// Architecture
    pub arch: String,
    /// Where the weights came from
    pub weights: String,
    /// Epochs done, with a fraction in the middle of one
    pub epochs: f64,
    /// Epochs planned
    pub planned_epochs: u64,
    /// Which number decides the best evaluation
    pub metric: Metric,
    /// The best evaluation of the validation split
    pub best: Option<EvalSummary>,
    /// The last evaluation of the validation split
    pub last: Option<EvalSummary>,
    /// Wall time in seconds, interruptions not counted
    pub seconds: f64,
    /// Training samples per second of training
    pub samples_per_second: Option<f64>,
}

/// A run that was found in a folder.
#[derive(Debug)]
pub struct FoundRun {
    /// Name of its folder
    pub name: String,
    /// The run on one line, or why it cannot be read
    pub summary: Result<RunSummary, TrackError>,
}

/// One evaluation's numbers. A number that JSON has no word for is `null` there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EvalSummary {
    /// When, in epochs
    pub epochs: f64,
    /// Mean loss
    pub loss: f64,
    /// Share of right answers; none for a regression
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Share of the targets' variance that a regression explains
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r2: Option<f64>,
    /// Mean absolute error of a regression, in the targets' own units
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
}

/// A run on one line.
///
/// # Errors
/// The run cannot be read.
pub fn summary(run: &RunDir) -> Result<RunSummary, TrackError> {
    let (plan, metrics, timing) = (run.plan()?, run.metrics()?, run.timing()?);
    let metric = plan.recipe.eval.metric;
    let brief = |eval: &crate::EvalPoint| EvalSummary {
        epochs: eval.at.epochs,
        loss: eval.loss,
        accuracy: eval.accuracy,
        r2: eval.r2,
        mae: eval.mae,
    };
    Ok(RunSummary {
        name: run.name(),
        outcome: metrics.end.as_ref().map(|end| end.outcome),
        arch: plan.model.arch,
        weights: plan.model.weights,
        epochs: metrics.steps.last().map_or(0.0, |step| step.at.epochs),
        planned_epochs: plan.length.epochs,
        metric,
        best: metrics.best_eval("valid", metric).map(brief),
        last: metrics.last_eval("valid").map(brief),
        seconds: timing.seconds(),
        samples_per_second: timing.samples_per_second(),
    })
}

/// Every run directly below a folder, by name; what is no run directory is passed over, and a run that cannot be
/// read is there with its error.
///
/// # Errors
/// The folder cannot be read.
pub fn runs_in(folder: &Path) -> Result<Vec<FoundRun>, TrackError> {
    let failed = |source| TrackError::io("read", folder, source);
    let mut runs = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        match RunDir::open(&entry.path()) {
            Ok(run) => runs.push(FoundRun { name, summary: summary(&run) }),
            Err(error @ TrackError::TornPlan { .. }) => runs.push(FoundRun { name, summary: Err(error) }),
            Err(_) => {}
        }
    }
    runs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(runs)
}

/// Several runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// One line each, in the order given
    pub runs: Vec<RunSummary>,
    /// Settings in which their recipes differ
    pub differences: Vec<Difference>,
}

/// A setting that is not the same in all runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// As for `--set`: `optim.lr`
    pub key: String,
    /// One value per run, as in the recipe; `None` where the key is absent
    pub values: Vec<Option<String>>,
}

/// Compares runs: their numbers, and the settings in which their recipes (defaults filled in) differ. The name and
/// the plan's own folder do not count as settings.
///
/// # Errors
/// A run cannot be read.
pub fn compare(runs: &[RunDir]) -> Result<Comparison, TrackError> {
    let mut summaries = Vec::new();
    let mut recipes = Vec::new();
    for run in runs {
        summaries.push(summary(run)?);
        recipes.push(run.plan()?.recipe);
    }
    Ok(Comparison { runs: summaries, differences: differences(&recipes.iter().collect::<Vec<_>>()) })
}

/// The settings in which recipes differ, their names left out.
pub fn differences(recipes: &[&Recipe]) -> Vec<Difference> {
    let settings: Vec<Vec<(String, String)>> = recipes
        .iter()
        .map(|recipe| {
            let mut flat = Vec::new();
            // a recipe is plain data: it has a JSON form
            flatten("", &serde_json::to_value(recipe).unwrap_or_default(), &mut flat);
            flat
        })
        .collect();
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in settings.iter().flatten() {
        if key != "name" && !keys.contains(&key) {
            keys.push(key);
        }
    }
    let value = |flat: &[(String, String)], key: &str| {
        flat.iter().find(|(found, _)| found == key).map(|(_, value)| value.clone())
    };
    let mut differences = Vec::new();
    for key in keys {
        let values: Vec<_> = settings.iter().map(|flat| value(flat, key)).collect();
        if values.windows(2).any(|pair| pair[0] != pair[1]) {
            differences.push(Difference { key: key.clone(), values });
        }
    }
    differences
}

/// Tables become dotted keys; a list is one value.
fn flatten(key: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, out);
            }
        }
        Value::Null => {}
        other => out.push((key.to_owned(), other.to_string())),
    }
}
