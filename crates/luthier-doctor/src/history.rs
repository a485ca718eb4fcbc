//! Numbers over a run's history that noise cannot fool: every difference comes with what chance alone would make of it.

use luthier_plan::MonitorPoint;
use luthier_track::{EvalPoint, Metrics, StepPoint};

use crate::{Facts, RunFacts};

/// Blocks that a history is cut into: their means are nearly normal, whatever the losses are.
const BLOCKS: usize = 12;

/// How a history goes from its first third to its last.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// Mean of the first third
    pub first: f64,
    /// Mean of the last third
    pub last: f64,
    /// Standard error of the difference of the two
    pub error: f64,
}

impl Course {
    /// Last less first.
    pub fn change(&self) -> f64 {
        self.last - self.first
    }

    /// Falls by more than three standard errors and a hundredth.
    pub fn falls(&self) -> bool {
        self.change() < -3.0 * self.error && self.change() < -0.01 * self.first.abs()
    }
}

/// The course of a history of at least twelve numbers.
pub fn course(values: &[f64]) -> Option<Course> {
    if values.len() < BLOCKS || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let block = |index: usize| {
        let (from, to) = (index * values.len() / BLOCKS, (index + 1) * values.len() / BLOCKS);
        mean(&values[from..to])
    };
    let means: Vec<f64> = (0..BLOCKS).map(block).collect();
    let third = BLOCKS / 3;
    let (first, last) = (mean(&means[..third]), mean(&means[BLOCKS - third..]));
    // of differences of neighbours, so that a trend is not taken for noise
    let squares: Vec<f64> = means.windows(2).map(|pair| (pair[1] - pair[0]).powi(2) / 2.0).collect();
    let error = (median(&squares) / 0.455 * 2.0 / third as f64).sqrt();
    Some(Course { first, last, error })
}

/// Arithmetic mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The middle value; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which a share of the values lies; 0 of nothing.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = share * sorted.len().saturating_sub(1) as f64;
    let (Some(low), Some(high)) = (sorted.get(at.floor() as usize), sorted.get(at.ceil() as usize)) else {
        return 0.0;
    };
    low + (high - low) * at.fract()
}

/// Loss of every update that has a finite one, in order.
pub fn losses(metrics: &Metrics) -> Vec<f64> {
    metrics.steps.iter().map(|step| step.loss).filter(|loss| loss.is_finite()).collect()
}

/// Level of the loss at the beginning: median of the first tenth of the updates, at least one and at most 20.
pub fn start(losses: &[f64]) -> f64 {
    let count = (losses.len() / 10).clamp(1, 20).min(losses.len());
    median(&losses[..count])
}

/// Level of the loss at the end: median of the last fifth.
pub fn end(losses: &[f64]) -> f64 {
    median(&losses[losses.len() - (losses.len() / 5).max(1).min(losses.len())..])
}

/// Whether a classifier's loss is well below where it began, or is low anyway: half of what knowing nothing costs.
pub fn has_learned(facts: &Facts, losses: &[f64]) -> bool {
    let low = chance(facts).is_some_and(|chance| end(losses) < 0.5 * chance);
    low || end(losses) < 0.8 * start(losses)
}

/// ln C of a classifier: the loss of one that knows nothing. Of several heads their weighted sum, of a contrastive run what
/// its candidates make.
pub fn chance(facts: &Facts) -> Option<f64> {
    let told = |plan: &&luthier_plan::Plan| plan.recipe.contrastive.is_some() || !plan.data.tasks.is_empty();
    if let Some(plan) = facts.plan.filter(told) {
        return luthier_plan::watch::chance(plan);
    }
    let seen = || facts.run?.metrics.evals.iter().map(|eval| eval.confusion.classes()).max();
    let classes = facts.plan.map(|plan| plan.data.classes.len()).or_else(seen)?;
    (classes >= 2).then(|| (classes as f64).ln())
}

/// Evaluations of the whole validation split, in order.
pub fn valid(metrics: &Metrics) -> Vec<&EvalPoint> {
    metrics.evals_of("valid").filter(|eval| !eval.estimate).collect()
}

/// Share of right answers of an evaluation; 0 for a regression, which [`classifies`] tells apart.
pub fn right(eval: &EvalPoint) -> f64 {
    eval.accuracy.unwrap_or(0.0)
}

/// The run guesses classes, not numbers.
pub fn classifies(run: &RunFacts) -> bool {
    run.metrics.evals.iter().all(|eval| eval.accuracy.is_some())
}

/// Standard error of a share of right answers among `count` samples; of a perfect share, that of one wrong answer.
pub fn share_error(accuracy: f64, count: u64) -> f64 {
    let count = (count as f64).max(1.0);
    let share = accuracy.clamp(1.0 / (count + 1.0), count / (count + 1.0));
    (share * (1.0 - share) / count).sqrt()
}

/// Learning rate of the group that moved most, at each update that was written down.
pub fn rate(step: &StepPoint) -> f64 {
    step.lr.iter().copied().fold(0.0, f64::max)
}

/// Looks at updates whose rate was at least half of the run's highest: outside of warm-up and decay.
pub fn looks_at_full_rate(run: &RunFacts) -> Vec<&MonitorPoint> {
    let steps = &run.metrics.steps;
    let highest = steps.iter().map(rate).fold(0.0, f64::max);
    let at = |update: u64| steps.binary_search_by_key(&update, |step| step.at.update).ok();
    let full = |look: &&MonitorPoint| {
        at(look.update).is_none_or(|index| steps.get(index).is_some_and(|step| rate(step) >= 0.5 * highest))
    };
    run.monitor.iter().filter(full).collect()
}

/// ‖Δw‖/‖w‖ of a look over all of its tensors; `None` where there is nothing to divide by.
pub fn ratio(look: &MonitorPoint) -> Option<f64> {
    let norm: f64 = look.tensors.iter().map(|tensor| tensor.norm.powi(2)).sum();
    let update: f64 = look.tensors.iter().map(|tensor| tensor.update.powi(2)).sum();
    (norm > 0.0 && update.is_finite()).then(|| (update / norm).sqrt())
}

/// Median of the update ratios at full rate; `None` where no tensor was looked at.
pub fn usual_ratio(run: &RunFacts) -> Option<f64> {
    let ratios: Vec<f64> = looks_at_full_rate(run).into_iter().filter_map(ratio).collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

/// The usual change of all trained weights by an update, as a share of them, after update `since`.
pub fn ratio_since(run: &RunFacts, since: u64) -> Option<f64> {
    let looks = run.monitor.iter().filter(|look| look.update > since);
    let ratios: Vec<f64> = looks.filter_map(ratio).collect();
    (!ratios.is_empty()).then(|| median(&ratios))
}

/// The base rate of the recipe, or else the highest that was used.
pub fn base_rate(facts: &Facts) -> Option<f64> {
    let used = || {
        let rates = facts.run?.metrics.steps.iter().filter_map(|step| step.lr.first().copied());
        Some(rates.fold(0.0, f64::max))
    };
    facts.plan.map(|plan| plan.recipe.optim.lr).or_else(used).filter(|rate| *rate > 0.0)
}

/// A number with two digits, for a patch that people read.
pub fn short(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}
