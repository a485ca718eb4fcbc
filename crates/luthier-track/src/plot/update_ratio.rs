//! How much of each weight an update moves, over the run: ‖Δw‖ / ‖w‖.

use luthier_plan::MonitorPoint;

use super::axis::{Axis, Numbers};
use super::chart::Chart;
use super::series::{COLORS, Series, Stroke, range};

/// Curves that can be told apart.
const MOST: usize = 6;

/// The first and the last trained weight and some between; `None` where the run was looked at less than twice.
pub fn chart(looks: &[MonitorPoint]) -> Option<Chart> {
    let (first, last) = (looks.first()?, looks.last()?);
    let weights: Vec<&str> = (first.tensors.iter())
        .map(|tensor| tensor.name.as_str())
        .filter(|name| name.ends_with("weight") || !name.contains('.'))
        .collect();
    let shown = weights.len().min(MOST);
    if shown == 0 || last.update <= first.update {
        return None;
    }
    let picked = (0..shown).map(|at| weights[at * (weights.len() - 1) / (shown - 1).max(1)]);
    let series: Vec<Series> = picked
        .enumerate()
        .map(|(place, name)| Series {
            label: Some(name.to_owned()),
            points: looks.iter().filter_map(|look| ratio(look, name)).collect(),
            color: COLORS[place % COLORS.len()],
            stroke: Stroke::Solid,
            marks: true,
        })
        .collect();
    let (from, to) = range(series.iter().flat_map(|series| &series.points).map(|point| point.1), 0.04)?;
    let x = Axis::round(0.0, last.update as f64, 6, Numbers::Plain);
    let y = if from > 0.0 { Axis::log(from, to) } else { Axis::round(from, to, 6, Numbers::Plain) };
    let (x_label, y_label) = ("Update".to_owned(), "Share of the weight that moved".to_owned());
    Some(Chart { id: "update-ratio".into(), x_label, y_label, x, top: None, y, series, legend: true })
}

/// What cannot be drawn is left out: a weight that did not move has no logarithm.
fn ratio(look: &MonitorPoint, name: &str) -> Option<(f64, f64)> {
    let tensor = look.tensors.iter().find(|tensor| tensor.name == name)?;
    let ratio = tensor.update / tensor.norm;
    (ratio.is_finite() && ratio > 0.0).then_some((look.update as f64, ratio))
}
