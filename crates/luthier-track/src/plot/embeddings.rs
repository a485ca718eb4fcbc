//! What embeddings were worth while they were learned.

use super::axis::{Axis, Numbers};
use super::chart::Chart;
use super::curves::{Run, bounds, chart, push};
use super::series::{COLORS, Series, Stroke};
use crate::{EmbeddingsPoint, Metrics};

/// Accuracy of the nearest neighbours, beside that of the encoder before its first update.
pub fn neighbours(metrics: &Metrics) -> Option<Chart> {
    let points: Vec<_> =
        metrics.embeddings.iter().filter_map(|look| Some((look.at.epochs, look.knn?))).collect();
    let (first, last) = (metrics.embeddings.first()?, points.last()?);
    let mut series = Vec::new();
    if let Some(untrained) = first.knn.filter(|_| first.at.update == 0 && points.len() > 1) {
        let flat = vec![(0.0, untrained), (last.0, untrained)];
        push(&mut series, "Untrained".into(), flat, COLORS[1], Stroke::Dashed, false);
    }
    push(&mut series, "Trained".into(), points, COLORS[0], Stroke::Solid, true);
    let (_, high) = bounds(&series)?;
    let y = Axis::round(0.0, high.max(0.1), 5, Numbers::Percent);
    Some(chart("neighbours", "Accuracy", &[Run { label: "", metrics }], series, y))
}

/// Alignment and uniformity (Wang & Isola 2020), and the spread as a share of an even one.
pub fn geometry(metrics: &Metrics) -> Option<Chart> {
    let mut series: Vec<Series> = Vec::new();
    let mut add = |name: &str, figure: fn(&EmbeddingsPoint) -> f64, stroke: Stroke| {
        let points = metrics.embeddings.iter().map(|look| (look.at.epochs, figure(look))).collect();
        let color = COLORS[series.len() % COLORS.len()];
        push(&mut series, name.into(), points, color, stroke, true);
    };
    add("Alignment", |look| look.alignment, Stroke::Solid);
    add("Uniformity", |look| look.uniformity, Stroke::DashDot);
    add("Spread (1: even)", |look| look.std / look.even_std, Stroke::Dotted);
    let (low, high) = bounds(&series)?;
    let y = Axis::round(low.min(0.0), high.max(1.0), 6, Numbers::Plain);
    Some(chart("embeddings", "Alignment, uniformity, spread", &[Run { label: "", metrics }], series, y))
}
