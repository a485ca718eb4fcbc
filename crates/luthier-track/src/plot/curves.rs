//! Which curves a run has.

use luthier_plan::{MonitorPoint, Plan};
use maud::{Markup, PreEscaped, html};

use super::axis::{Axis, Numbers};
use super::chart::{Chart, HEIGHT, WIDTH, shared_legend};
use super::confused::{Confused, confused};
use super::matrix;
use super::series::{COLORS, Series, Stroke, range, smooth};
use super::{embeddings, several, update_ratio};
use crate::Metrics;

/// Curves whose names have room beside them.
const IN_CHART: usize = 5;

const TRAIN: &str = COLORS[0];
const VALID: &str = COLORS[1];

/// A drawn plot.
#[derive(Debug, Clone)]
pub struct Picture {
    /// File name without its ending: `loss`
    pub name: String,
    /// What it shows, as a heading
    pub title: String,
    /// The picture, a whole SVG file
    pub svg: String,
}

/// Every plot that the run has numbers for.
pub fn pictures(plan: &Plan, metrics: &Metrics, looks: &[MonitorPoint]) -> Vec<Picture> {
    let run = [Run { label: "", metrics }];
    let mut pictures = Vec::new();
    let mut add = |name: &str, title: &str, chart: Option<Chart>| {
        if let Some(chart) = chart {
            let svg = alone(title, chart);
            pictures.push(Picture { name: name.to_owned(), title: title.to_owned(), svg });
        }
    };
    add("loss", "Loss", loss(&run));
    add("accuracy", "Accuracy", accuracy(&run));
    add("r2", "Explained variance, R²", explained(&run));
    add("neighbours", "Accuracy of the nearest neighbours, validation", embeddings::neighbours(metrics));
    add("embeddings", "How embeddings lie", embeddings::geometry(metrics));
    add("heads", "Accuracy of every head, validation", several::heads(metrics));
    add("streams", "Loss of every stream, training", several::streams(plan, metrics));
    add("task-weights", "Learned weight of every head", several::weights(plan, metrics));
    add("gradient-cosine", "Cosine between the gradients of two heads", several::cosines(metrics));
    add("learning-rate", "Learning rate", learning_rate(plan, metrics));
    add("gradient-norm", "Gradient norm", gradient_norm(plan, metrics));
    add("update-ratio", "Share of a weight that an update moves", update_ratio::chart(looks));
    for one in confused(plan, metrics) {
        pictures.push(confusion(&one));
    }
    pictures
}

/// A chart as a picture. A long legend stands below it, where it hides no curve.
fn alone(title: &str, chart: Chart) -> String {
    let names = chart.series.iter().filter(|series| series.label.is_some()).count();
    if !chart.legend || names <= IN_CHART {
        return svg(title, WIDTH, HEIGHT, chart.draw());
    }
    let chart = Chart { legend: false, ..chart };
    let (body, (legend, below)) = (chart.draw(), shared_legend(&[chart], WIDTH));
    let body = html! { (body) g transform={ "translate(0 " (HEIGHT) ")" } { (legend) } };
    svg(title, WIDTH, HEIGHT + below, body)
}

/// A confusion matrix, drawn.
pub fn confusion(one: &Confused) -> Picture {
    let (body, width, height) = matrix::draw(one.confusion, one.classes);
    let title = one.title();
    Picture { name: one.name(), svg: svg(&title, width, height, body), title }
}

/// A run and what it is called in a legend; a single one needs no name.
pub struct Run<'a> {
    pub label: &'a str,
    pub metrics: &'a Metrics,
}

impl Run<'_> {
    fn name(&self, what: &str) -> String {
        if self.label.is_empty() { capital(what) } else { format!("{}, {what}", self.label) }
    }
}

/// Several runs' loss and accuracy side by side, in one picture.
pub fn comparison(runs: &[Run]) -> Option<Picture> {
    let charts: Vec<Chart> = [loss(runs), accuracy(runs), explained(runs)].into_iter().flatten().collect();
    if charts.is_empty() {
        return None;
    }
    let width = WIDTH * charts.len() as f64;
    let (legend, below) = shared_legend(&charts, width);
    let body = html! {
        @for (place, chart) in charts.iter().enumerate() {
            g transform={ "translate(" (place as f64 * WIDTH) " 0)" } { (chart.draw()) }
        }
        @if runs.len() > 1 { g transform={ "translate(0 " (HEIGHT) ")" } { (legend) } }
    };
    let below = if runs.len() > 1 { below } else { 0.0 };
    let title = "Loss and accuracy of several runs".to_owned();
    let svg = svg(&title, width, HEIGHT + below, body);
    Some(Picture { name: "compare".to_owned(), title, svg })
}

fn loss(runs: &[Run]) -> Option<Chart> {
    let mut series = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let (train, valid) = colors(runs, place);
        let steps: Vec<_> = run.metrics.steps.iter().map(|step| (step.at.epochs, step.loss)).collect();
        let looks = |split: &'static str, estimate: bool| -> Vec<(f64, f64)> {
            let evals = run.metrics.evals_of(split).filter(move |eval| eval.estimate == estimate);
            evals.map(|eval| (eval.at.epochs, eval.loss)).collect()
        };
        let (seen, estimates) = (looks("train", true), looks("valid", true));
        if runs.len() == 1 && !seen.is_empty() {
            // quick looks at both splits with the same weights: one ruler, as the losses of the updates are not
            series.push(Series {
                label: None,
                points: steps,
                color: train,
                stroke: Stroke::Faint,
                marks: false,
            });
            push(&mut series, run.name("training"), seen, train, Stroke::Solid, true);
        } else if runs.len() == 1 {
            push_noisy(&mut series, run.name("training"), steps, train);
        } else {
            let points = smooth(&steps).unwrap_or(steps);
            push(&mut series, run.name("training"), points, train, Stroke::Solid, false);
        }
        let evals = if estimates.is_empty() { looks("valid", false) } else { estimates };
        push(&mut series, run.name("validation"), evals, valid, Stroke::DashDot, true);
    }
    let (low, high) = bounds(&series)?;
    // from zero where zero is near
    let low = if low > 0.0 && low < 0.4 * high { 0.0 } else { low };
    Some(chart("loss", "Loss", runs, series, Axis::round(low, high, 5, Numbers::Plain)))
}

fn accuracy(runs: &[Run]) -> Option<Chart> {
    let mut series = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let (train, valid) = colors(runs, place);
        let epochs: Vec<_> =
            run.metrics.epochs.iter().filter_map(|epoch| Some((epoch.at.epochs, epoch.accuracy?))).collect();
        push(&mut series, run.name("training"), epochs, train, Stroke::Solid, true);
        let whole = run.metrics.evals_of("valid").filter(|eval| !eval.estimate);
        let evals: Vec<_> = whole.filter_map(|eval| Some((eval.at.epochs, eval.accuracy?))).collect();
        push(&mut series, run.name("validation"), evals, valid, Stroke::DashDot, true);
    }
    let (low, _) = bounds(&series)?;
    let low = if low < 0.4 { 0.0 } else { (low - 0.02).min(0.9) };
    Some(chart("accuracy", "Accuracy", runs, series, Axis::round(low, 1.0, 5, Numbers::Percent)))
}

/// R² of a regression, from 0 or where it first was above it: the beginning may be far below.
fn explained(runs: &[Run]) -> Option<Chart> {
    let mut series = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let (train, valid) = colors(runs, place);
        for (split, what, color, stroke) in
            [("train", "training", train, Stroke::Solid), ("valid", "validation", valid, Stroke::DashDot)]
        {
            let evals = run.metrics.evals_of(split);
            let points: Vec<_> =
                evals.filter_map(|eval| Some((eval.at.epochs, eval.r2.filter(|r2| *r2 > -1.0)?))).collect();
            push(&mut series, run.name(what), points, color, stroke, true);
        }
    }
    let (low, _) = bounds(&series)?;
    let low = if low < 0.0 {
        -1.0
    } else if low < 0.4 {
        0.0
    } else {
        (low - 0.02).min(0.9)
    };
    Some(chart("r2", "R²", runs, series, Axis::round(low, 1.0, 5, Numbers::Plain)))
}

fn learning_rate(plan: &Plan, metrics: &Metrics) -> Option<Chart> {
    const STROKES: [Stroke; 4] = [Stroke::Solid, Stroke::DashDot, Stroke::Dashed, Stroke::Dotted];
    let groups = metrics.steps.iter().map(|step| step.lr.len()).max()?;
    let mut series = Vec::new();
    for group in 0..groups {
        let points =
            metrics.steps.iter().filter_map(|step| Some((step.at.epochs, *step.lr.get(group)?))).collect();
        let name =
            plan.groups.get(group).map_or_else(|| format!("group {group}"), |group| group.name.clone());
        push(&mut series, name, points, COLORS[group % COLORS.len()], STROKES[group % STROKES.len()], false);
    }
    if groups == 1 {
        series.iter_mut().for_each(|series| series.label = None);
    }
    let (_, high) = bounds(&series)?;
    let run = [Run { label: "", metrics }];
    Some(chart(
        "learning-rate",
        "Learning rate",
        &run,
        series,
        Axis::exact(0.0, 1.06 * high, 6, Numbers::Plain),
    ))
}

fn gradient_norm(plan: &Plan, metrics: &Metrics) -> Option<Chart> {
    let points: Vec<_> = metrics.steps.iter().map(|step| (step.at.epochs, step.grad_norm)).collect();
    let (low, high) = range(points.iter().map(|point| point.1), 0.005)?;
    let mut series = Vec::new();
    push_noisy(&mut series, "Before clipping".to_owned(), points, TRAIN);
    match plan.recipe.train.clip_grad_norm {
        Some(limit) => {
            let end = metrics.steps.last()?.at.epochs;
            push(
                &mut series,
                "Clipped at".to_owned(),
                vec![(0.0, limit), (end, limit)],
                VALID,
                Stroke::Dashed,
                false,
            );
        }
        None => series.iter_mut().for_each(|series| series.label = None),
    }
    let high = high.max(plan.recipe.train.clip_grad_norm.unwrap_or(0.0));
    let axis = if low > 0.0 && high / low > 50.0 {
        Axis::log(low, high)
    } else {
        Axis::round(0.0, high, 5, Numbers::Plain)
    };
    Some(chart("gradient-norm", "Gradient norm", &[Run { label: "", metrics }], series, axis))
}

/// Training and validation differ in colour where there is one run; else each run has its colour.
fn colors(runs: &[Run], place: usize) -> (&'static str, &'static str) {
    if runs.len() == 1 {
        (TRAIN, VALID)
    } else {
        (COLORS[place % COLORS.len()], COLORS[place % COLORS.len()])
    }
}

pub(super) fn push(
    series: &mut Vec<Series>,
    label: String,
    points: Vec<(f64, f64)>,
    color: &'static str,
    stroke: Stroke,
    marks: bool,
) {
    if points.iter().any(|point| point.1.is_finite()) {
        series.push(Series { label: Some(label), points, color, stroke, marks });
    }
}

/// A light line of the raw numbers, and a smoothed one over it.
pub(super) fn push_noisy(
    series: &mut Vec<Series>,
    label: String,
    points: Vec<(f64, f64)>,
    color: &'static str,
) {
    match smooth(&points) {
        Some(smoothed) => {
            series.push(Series { label: None, points, color, stroke: Stroke::Faint, marks: false });
            push(series, label, smoothed, color, Stroke::Solid, false);
        }
        None => push(series, label, points, color, Stroke::Solid, true),
    }
}

/// Heights that must be seen: all of the main curves, and of the raw ones all but rare spikes.
pub(super) fn bounds(series: &[Series]) -> Option<(f64, f64)> {
    let ranges = series.iter().filter_map(|series| {
        let tail = if series.stroke == Stroke::Faint { 0.01 } else { 0.0 };
        range(series.points.iter().map(|point| point.1), tail)
    });
    ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

pub(super) fn chart(id: &str, y_label: &str, runs: &[Run], series: Vec<Series>, y: Axis) -> Chart {
    let ends = series.iter().flat_map(|series| series.points.last()).map(|point| point.0);
    let end = ends.fold(0.0, f64::max);
    let x = Axis::exact(0.0, end, if end > 8.0 { 8 } else { end.ceil().max(4.0) as usize }, Numbers::Plain);
    // the samples of the same stretch, exactly: both axes are one ruler. Runs of different size have none in common
    let rates: Vec<f64> = runs.iter().filter_map(samples_per_epoch).collect();
    let same = rates.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 1e-6 * pair[0]);
    let top = rates.first().filter(|_| same).map(|rate| Axis::exact(0.0, rate * x.to, 6, Numbers::Plain));
    let x_label = "Epochs".to_owned();
    Chart {
        id: id.to_owned(),
        x_label,
        y_label: y_label.to_owned(),
        x,
        top,
        y,
        series,
        legend: runs.len() == 1,
    }
}

fn samples_per_epoch(run: &Run) -> Option<f64> {
    let positions =
        run.metrics.steps.iter().map(|step| step.at).chain(run.metrics.evals.iter().map(|eval| eval.at));
    let last = positions.max_by(|a, b| a.epochs.total_cmp(&b.epochs))?;
    (last.epochs > 0.0).then(|| last.samples as f64 / last.epochs)
}

pub(super) fn svg(title: &str, width: f64, height: f64, body: Markup) -> String {
    let (width, height) = (width.ceil(), height.ceil());
    let family = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif";
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
            role="img" aria-label=(title) font-family=(family) {
            rect.paper width=(width) height=(height) fill="#ffffff" {}
            (body)
        }
    };
    let PreEscaped(text) = markup;
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
