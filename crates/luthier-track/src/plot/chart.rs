//! A chart of curves, over epochs with the samples seen on a second axis on top, or over anything else.

use maud::{Markup, html};

use super::axis::Axis;
use super::series::{Series, Stroke, thin};

/// Size of a chart in pixels of 1/96 inch.
pub const WIDTH: f64 = 640.0;
pub const HEIGHT: f64 = 400.0;
/// Size of letters, and the width of a mean one: a legend's box is as wide as its text is about.
const LETTER: f64 = 13.0;
const LETTER_WIDTH: f64 = 6.9;
const INK: &str = "#1f2328";

/// A chart of curves.
#[derive(Debug, Clone)]
pub struct Chart {
    /// Names the chart's parts; unique on a page
    pub id: String,
    pub x_label: String,
    pub y_label: String,
    pub x: Axis,
    /// Second axis on top: its own numbers over the same length
    pub top: Option<Axis>,
    pub y: Axis,
    pub series: Vec<Series>,
    /// With a legend of its own
    pub legend: bool,
}

/// The rectangle inside the axes.
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Chart {
    /// The chart as an SVG group of [`WIDTH`] × [`HEIGHT`].
    pub fn draw(&self) -> Markup {
        let widest = self.y.ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(1);
        let left = 38.0 + widest as f64 * LETTER_WIDTH;
        let top = if self.top.is_some() { 58.0 } else { 20.0 };
        let frame = Frame { left, top, width: WIDTH - left - 28.0, height: HEIGHT - top - 54.0 };
        let clip = format!("{}-clip", self.id);
        html! {
            defs { clipPath id=(clip) { rect x=(n(frame.left)) y=(n(frame.top)) width=(n(frame.width)) height=(n(frame.height)) {} } }
            (self.grid(&frame))
            g clip-path={ "url(#" (clip) ")" } fill="none" stroke-linejoin="round" stroke-linecap="butt" {
                @for series in &self.series { (self.curve(&frame, series)) }
            }
            (self.axes(&frame))
            @for series in &self.series { (self.marks(&frame, series)) }
            @if self.legend { (self.own_legend(&frame)) }
        }
    }

    fn place(&self, frame: &Frame, (x, y): (f64, f64)) -> (f64, f64) {
        (frame.left + frame.width * self.x.share(x), frame.top + frame.height * (1.0 - self.y.share(y)))
    }

    fn grid(&self, frame: &Frame) -> Markup {
        html! {
            g class="grid" stroke="#e3e6ea" stroke-width="1" {
                @for (tick, _) in &self.y.ticks {
                    @let (_, y) = self.place(frame, (self.x.from, *tick));
                    line x1=(n(frame.left)) x2=(n(frame.left + frame.width)) y1=(n(y)) y2=(n(y)) {}
                }
            }
        }
    }

    fn curve(&self, frame: &Frame, series: &Series) -> Markup {
        let points: Vec<_> = thin(&series.points, 2 * WIDTH as usize);
        let mut path = String::new();
        let mut pen_down = false;
        for &point in &points {
            if !point.1.is_finite() || !point.0.is_finite() {
                pen_down = false;
                continue;
            }
            let (x, y) = self.place(frame, point);
            // far outside is outside: renderers dislike huge numbers
            let y = y.clamp(-1e4, 1e4);
            path.push_str(&format!("{}{} {}", if pen_down { "L" } else { "M" }, n(x), n(y)));
            pen_down = true;
        }
        let (width, opacity) = if series.stroke == Stroke::Faint { ("1", "0.32") } else { ("2", "1") };
        html! {
            path d=(path) stroke=(series.color) stroke-width=(width) stroke-opacity=(opacity) stroke-dasharray=[dashes(series.stroke)] {}
        }
    }

    /// Not cut off at the frame: the last evaluation is at the end of the axis.
    fn marks(&self, frame: &Frame, series: &Series) -> Markup {
        let few = series.marks && series.points.len() <= 40;
        let marks = series.points.iter().filter(|point| few && point.1.is_finite());
        html! {
            @for mark in marks {
                @let (x, y) = self.place(frame, *mark);
                @if series.stroke == Stroke::Solid {
                    circle cx=(n(x)) cy=(n(y)) r="3.2" fill=(series.color) {}
                } @else {
                    rect.paper x=(n(x - 3.0)) y=(n(y - 3.0)) width="6" height="6" fill="#ffffff" stroke=(series.color) stroke-width="1.6" {}
                }
            }
        }
    }

    fn axes(&self, frame: &Frame) -> Markup {
        let (right, bottom) = (frame.left + frame.width, frame.top + frame.height);
        let middle = frame.left + frame.width / 2.0;
        let text = |x: f64, y: f64, anchor: &str, label: &str| {
            html! { text x=(n(x)) y=(n(y)) text-anchor=(anchor) { (label) } }
        };
        html! {
            g.rule stroke=(INK) stroke-width="1" fill="none" {
                rect x=(n(frame.left)) y=(n(frame.top)) width=(n(frame.width)) height=(n(frame.height)) {}
                @for (tick, _) in &self.x.ticks {
                    @let x = frame.left + frame.width * self.x.share(*tick);
                    line x1=(n(x)) x2=(n(x)) y1=(n(bottom)) y2=(n(bottom + 5.0)) {}
                }
                @for (tick, _) in self.top.iter().flat_map(|top| &top.ticks) {
                    @let x = frame.left + frame.width * self.top.as_ref().map_or(0.0, |top| top.share(*tick));
                    line x1=(n(x)) x2=(n(x)) y1=(n(frame.top)) y2=(n(frame.top - 5.0)) {}
                }
                @for (tick, _) in &self.y.ticks {
                    @let (_, y) = self.place(frame, (self.x.from, *tick));
                    line x1=(n(frame.left - 5.0)) x2=(n(frame.left)) y1=(n(y)) y2=(n(y)) {}
                }
            }
            g.ink fill=(INK) font-size=(LETTER) {
                @for (tick, label) in &self.x.ticks {
                    (text(frame.left + frame.width * self.x.share(*tick), bottom + 20.0, "middle", label))
                }
                @if let Some(top) = &self.top {
                    @for (tick, label) in &top.ticks {
                        (text(frame.left + frame.width * top.share(*tick), frame.top - 11.0, "middle", label))
                    }
                    (text(middle, frame.top - 36.0, "middle", "Samples seen"))
                }
                @for (tick, label) in &self.y.ticks {
                    @let (_, y) = self.place(frame, (self.x.from, *tick));
                    (text(frame.left - 10.0, y + 4.5, "end", label))
                }
                (text(middle.min(right), bottom + 43.0, "middle", &self.x_label))
                text transform={ "translate(18 " (n(frame.top + frame.height / 2.0)) ") rotate(-90)" } text-anchor="middle" { (self.y_label) }
            }
        }
    }

    /// Where it hides the least of the curves.
    fn own_legend(&self, frame: &Frame) -> Markup {
        let entries: Vec<_> =
            self.series.iter().filter_map(|s| s.label.as_ref().map(|label| (s, label))).collect();
        if entries.is_empty() {
            return html! {};
        }
        let longest = entries.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
        let width = (56.0 + longest as f64 * LETTER_WIDTH).min(frame.width - 20.0);
        let height = 12.0 + entries.len() as f64 * 20.0;
        let (far_x, far_y) =
            (frame.left + frame.width - width - 10.0, frame.top + frame.height - height - 10.0);
        let (near_x, near_y) = (frame.left + 10.0, frame.top + 10.0);
        let (mid_x, mid_y) = ((near_x + far_x) / 2.0, (near_y + far_y) / 2.0);
        // the first of equals is taken: corners before sides
        let places = [
            (far_x, near_y),
            (near_x, near_y),
            (far_x, far_y),
            (near_x, far_y),
            (mid_x, near_y),
            (mid_x, far_y),
            (far_x, mid_y),
            (near_x, mid_y),
        ];
        let hidden = |&(x, y): &(f64, f64)| {
            let drawn = self.series.iter().filter(|series| series.stroke != Stroke::Faint);
            // a curve of three points covers the way between them too
            let ways = drawn.flat_map(|series| {
                series.points.windows(2).flat_map(|pair| {
                    (0..8).map(move |part| {
                        let share = f64::from(part) / 8.0;
                        let between = |a: f64, b: f64| a + (b - a) * share;
                        (between(pair[0].0, pair[1].0), between(pair[0].1, pair[1].1))
                    })
                })
            });
            let inside = |point: (f64, f64)| {
                let (px, py) = self.place(frame, point);
                px > x - 4.0 && px < x + width + 4.0 && py > y - 4.0 && py < y + height + 4.0
            };
            ways.filter(|point| inside(*point)).count()
        };
        let (x, y) = places.into_iter().min_by_key(hidden).unwrap_or((near_x, near_y));
        html! {
            g.legend {
                rect.paper x=(n(x)) y=(n(y)) width=(n(width)) height=(n(height)) rx="3" fill="#ffffff" fill-opacity="0.88" stroke="#c9ced6" {}
                @for (row, (series, label)) in entries.iter().enumerate() {
                    (entry(x + 10.0, y + 16.0 + row as f64 * 20.0, series, label))
                }
            }
        }
    }
}

/// One line of a legend: a piece of the curve and its name.
fn entry(x: f64, y: f64, series: &Series, label: &str) -> Markup {
    html! {
        line x1=(n(x)) x2=(n(x + 32.0)) y1=(n(y)) y2=(n(y)) stroke=(series.color) stroke-width="2" stroke-dasharray=[dashes(series.stroke)] {}
        text.ink x=(n(x + 40.0)) y=(n(y + 4.5)) fill=(INK) font-size=(LETTER) { (label) }
    }
}

/// A legend for several charts, in rows; and its height.
pub fn shared_legend(charts: &[Chart], width: f64) -> (Markup, f64) {
    let mut entries: Vec<(&Series, &str)> = Vec::new();
    for series in charts.iter().flat_map(|chart| &chart.series) {
        match &series.label {
            Some(label) if !entries.iter().any(|entry| entry.1 == label) => entries.push((series, label)),
            _ => {}
        }
    }
    let longest = entries.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0) as f64;
    let column = 72.0 + longest * LETTER_WIDTH;
    // two entries a run stay side by side
    let columns = match (width / column) as usize {
        0 | 1 => 1,
        room if room >= entries.len() => entries.len().max(1),
        room => room / 2 * 2,
    };
    let left = (width - column * columns as f64) / 2.0 + 16.0;
    let rows = entries.len().div_ceil(columns);
    let markup = html! {
        @for (place, (series, label)) in entries.iter().enumerate() {
            (entry(left + column * (place % columns) as f64, 10.0 + 22.0 * (place / columns) as f64, series, label))
        }
    };
    (markup, 14.0 + 22.0 * rows as f64)
}

fn dashes(stroke: Stroke) -> Option<&'static str> {
    match stroke {
        Stroke::Solid | Stroke::Faint => None,
        Stroke::DashDot => Some("9 3.5 2 3.5"),
        Stroke::Dashed => Some("6 4"),
        Stroke::Dotted => Some("2 3"),
    }
}

/// A number as SVG needs it: two digits after the point at most.
pub fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
