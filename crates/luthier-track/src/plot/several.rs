//! Curves of several heads and of several streams.

use luthier_plan::Plan;

use super::axis::{Axis, Numbers};
use super::chart::Chart;
use super::curves::{Run, bounds, chart, push, push_noisy};
use super::series::{COLORS, Series, Stroke};
use crate::{EvalPoint, Metrics, StepPoint};

/// Pairs of heads that are drawn: nine heads have 36.
const PAIRS: usize = 8;

const STROKES: [Stroke; 3] = [Stroke::Solid, Stroke::DashDot, Stroke::Dotted];

/// Share of right answers of every head on the validation split, or, where there is none, as training saw it.
pub fn heads(metrics: &Metrics) -> Option<Chart> {
    let streams = metrics.streams.iter().map(|stream| (stream.name.as_str(), &stream.evals));
    let whole = |eval: &&EvalPoint| eval.split == "valid" && !eval.estimate;
    let mut series = Vec::new();
    for (stream, evals) in std::iter::once(("", &metrics.evals)).chain(streams) {
        let evals: Vec<&EvalPoint> = evals.iter().filter(whole).collect();
        let names = evals.first().map(|eval| &eval.tasks).into_iter().flatten().map(|task| &task.head);
        for (at, head) in names.enumerate() {
            let point = |eval: &&EvalPoint| Some((eval.at.epochs, eval.tasks.get(at)?.accuracy));
            let points = evals.iter().filter_map(point).collect();
            add(
                &mut series,
                if stream.is_empty() { head.clone() } else { format!("{head}, {stream}") },
                points,
            );
        }
    }
    if series.is_empty() {
        let names = metrics.epochs.first().map(|epoch| &epoch.tasks).into_iter().flatten();
        for (at, head) in names.map(|task| task.head.clone()).enumerate() {
            let points = metrics.epochs.iter();
            let points = points.filter_map(|epoch| Some((epoch.at.epochs, epoch.tasks.get(at)?.accuracy)));
            add(&mut series, head, points.collect());
        }
    }
    let run = [Run { label: "", metrics }];
    (series.len() > 1)
        .then(|| chart("heads", "Accuracy", &run, series, Axis::round(0.0, 1.0, 5, Numbers::Percent)))
}

/// The learned weight of every head, stream by stream.
pub fn weights(plan: &Plan, metrics: &Metrics) -> Option<Chart> {
    let streams = metrics.streams.iter().map(|stream| (stream.name.as_str(), &stream.steps));
    let mut series = Vec::new();
    for (stream, steps) in std::iter::once(("", &metrics.steps)).chain(streams) {
        let names = steps.first().map(|step| &step.tasks).into_iter().flatten();
        for (at, head) in names.map(|task| &task.head).enumerate() {
            let point = |step: &StepPoint| Some((step.at.epochs, step.tasks.get(at)?.weight?));
            let name = if stream.is_empty() { head.clone() } else { format!("{head}, {stream}") };
            add_line(&mut series, name, steps.iter().filter_map(point).collect());
        }
    }
    let (_, high) = bounds(&series)?;
    let run = [Run { label: "", metrics }];
    let label = match plan.recipe.train.task_weighting {
        luthier_recipe::TaskWeighting::Uncertainty { .. } => "Weight, exp(−log-variance)",
        _ => "Weight",
    };
    Some(chart("task-weights", label, &run, series, Axis::round(0.0, high, 5, Numbers::Plain)))
}

/// Cosines between the gradients of the pairs of heads that are most at odds, where they were compared.
pub fn cosines(metrics: &Metrics) -> Option<Chart> {
    let streams = metrics.streams.iter().map(|stream| (stream.name.as_str(), &stream.steps));
    let mut pairs: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for (stream, steps) in std::iter::once(("", &metrics.steps)).chain(streams) {
        for step in steps {
            for (one, other, cosine) in &step.gradient_cosine {
                let gap = if stream.is_empty() { "" } else { ", " };
                let name = format!("{one} and {other}{gap}{stream}");
                let at = pairs.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                    pairs.push((name, Vec::new()));
                    pairs.len() - 1
                });
                pairs[at].1.push((step.at.epochs, *cosine));
            }
        }
    }
    let mean = |points: &[(f64, f64)]| points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64;
    pairs.sort_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)));
    pairs.truncate(PAIRS);
    let mut series = Vec::new();
    pairs.into_iter().for_each(|(name, points)| add(&mut series, name, points));
    let run = [Run { label: "", metrics }];
    (!series.is_empty())
        .then(|| chart("gradient-cosine", "Cosine", &run, series, Axis::round(-1.0, 1.0, 5, Numbers::Plain)))
}

fn add_line(series: &mut Vec<Series>, name: String, points: Vec<(f64, f64)>) {
    let at = series.len();
    push(series, name, points, COLORS[at % COLORS.len()], STROKES[at / COLORS.len() % STROKES.len()], false);
}

fn add(series: &mut Vec<Series>, name: String, points: Vec<(f64, f64)>) {
    let at = series.len();
    let stroke = STROKES[at / COLORS.len() % STROKES.len()];
    push(series, name, points, COLORS[at % COLORS.len()], stroke, true);
}

/// The training loss of every stream by itself: one curve through both would only go up and down between them.
pub fn streams(plan: &Plan, metrics: &Metrics) -> Option<Chart> {
    if metrics.streams.is_empty() {
        return None;
    }
    let mut series = Vec::new();
    let first = (plan.stream.as_str(), &metrics.steps);
    let others = metrics.streams.iter().map(|stream| (stream.name.as_str(), &stream.steps));
    for (at, (name, steps)) in std::iter::once(first).chain(others).enumerate() {
        let points = steps.iter().map(|step| (step.at.epochs, step.loss)).collect();
        push_noisy(&mut series, name.to_owned(), points, COLORS[at % COLORS.len()]);
    }
    let (low, high) = bounds(&series)?;
    let low = if low > 0.0 && low < 0.4 * high { 0.0 } else { low };
    let run = [Run { label: "", metrics }];
    Some(chart("streams", "Training loss", &run, series, Axis::round(low, high, 5, Numbers::Plain)))
}
