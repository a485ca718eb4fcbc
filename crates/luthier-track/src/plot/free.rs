//! Curves over something other than a run's epochs.

use std::path::{Path, PathBuf};

use super::axis::{Axis, Numbers};
use super::chart::{Chart, HEIGHT, WIDTH};
use super::curves::{Picture, svg};
use super::files::write;
use super::series::{COLORS, Series, Stroke, range};
use crate::TrackError;

/// Curves over something.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePlot {
    /// What it shows, as a heading
    pub title: String,
    /// Name of the horizontal axis
    pub x_label: String,
    /// Name of the vertical axis
    pub y_label: String,
    /// The horizontal axis has powers of ten; numbers on it are above zero
    pub log_x: bool,
    /// The vertical axis has
    pub log_y: bool,
    /// Curves with their names in the legend
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
    /// Upright lines with their names in the legend
    pub marks: Vec<(String, f64)>,
}

/// Draws curves: `stem` with the endings `.svg`, `.png` and `.pdf`. Says what it wrote; nothing where there is not one
/// point.
///
/// # Errors
/// A file cannot be written.
pub fn curve_plot(stem: &Path, plot: &CurvePlot) -> Result<Vec<PathBuf>, TrackError> {
    let Some(chart) = chart(plot) else { return Ok(Vec::new()) };
    if let Some(folder) = stem.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| TrackError::io("create", folder, source))?;
    }
    let name = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let svg = svg(&plot.title, WIDTH, HEIGHT, chart.draw());
    write(stem, &Picture { name, title: plot.title.clone(), svg })
}

fn chart(plot: &CurvePlot) -> Option<Chart> {
    let points = || plot.curves.iter().flat_map(|(_, points)| points);
    let marks = || plot.marks.iter().map(|(_, x)| *x);
    let x = axis(range(points().map(|point| point.0).chain(marks()), 0.0)?, plot.log_x);
    // what shoots up at the end leaves the picture, not the rest of the curve flat
    let y = axis(range(points().map(|point| point.1), 0.04)?, plot.log_y);
    let mut series: Vec<Series> = Vec::new();
    for (place, (label, points)) in plot.curves.iter().enumerate() {
        series.push(Series {
            label: Some(label.clone()),
            points: points.clone(),
            color: COLORS[place % COLORS.len()],
            stroke: Stroke::Solid,
            marks: true,
        });
    }
    for (place, (label, at)) in plot.marks.iter().enumerate() {
        let strokes = [Stroke::Dotted, Stroke::Dashed, Stroke::DashDot];
        series.push(Series {
            label: Some(label.clone()),
            points: vec![(*at, y.from), (*at, y.to)],
            color: COLORS[(plot.curves.len() + place) % COLORS.len()],
            stroke: strokes[place % strokes.len()],
            marks: false,
        });
    }
    let (x_label, y_label) = (plot.x_label.clone(), plot.y_label.clone());
    Some(Chart { id: "curve".into(), x_label, y_label, x, top: None, y, series, legend: true })
}

fn axis((from, to): (f64, f64), log: bool) -> Axis {
    if log && from > 0.0 { Axis::log(from, to) } else { Axis::round(from, to, 6, Numbers::Plain) }
}
