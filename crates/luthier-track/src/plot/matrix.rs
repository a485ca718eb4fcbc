//! The confusion matrix as a picture.

use maud::{Markup, html};

use super::chart::n;
use crate::Confusion;

const INK: &str = "#1f2328";
/// More classes than this and the counts would be too small to read.
const MOST_COUNTS: usize = 24;
/// Longest class name that is written out.
const LONGEST: usize = 18;

/// The matrix as an SVG group, and its width and height. Shade is the share of the row: how often the true class
/// was taken for the guessed one.
pub fn draw(confusion: &Confusion, classes: &[String]) -> (Markup, f64, f64) {
    let count = confusion.classes().max(1);
    let cell = (420.0 / count as f64).clamp(2.0, 96.0);
    let side = cell * count as f64;
    // with many classes, only some names find room
    let every = (15.0 / cell).ceil().max(1.0) as usize;
    let name = |class: usize| shorten(classes.get(class).map_or("", String::as_str), class);
    let widest =
        (0..count).step_by(every).map(|class| name(class).chars().count()).max().unwrap_or(0) as f64 * 7.2;
    let upright = widest > cell * every as f64 - 6.0;
    let (left, top) = (40.0 + widest, 12.0);
    let below = if upright { widest * 0.72 + 18.0 } else { 22.0 };
    let (width, height) = (left + side + 24.0, top + side + below + 34.0);
    let totals: Vec<u64> = confusion.rows().iter().map(|row| row.iter().sum()).collect();
    let counts = count <= MOST_COUNTS;
    let digits = confusion.cells().iter().map(|cell| cell.2).max().unwrap_or(0).to_string().len() as f64;
    let size = (cell * 0.34).min(cell * 1.4 / digits).clamp(6.0, 16.0);
    let center = |class: usize| (class as f64 + 0.5) * cell;
    let markup = html! {
        g.cells text-anchor="middle" {
            @for &(truth, guess, number) in confusion.cells() {
                @let share = number as f64 / totals[truth as usize].max(1) as f64;
                @let (x, y) = (left + f64::from(guess) * cell, top + f64::from(truth) * cell);
                rect x=(n(x)) y=(n(y)) width=(n(cell)) height=(n(cell)) fill="#0b5394" fill-opacity=(n(0.06 + 0.9 * share)) {
                    title { (name(truth as usize)) " taken for " (name(guess as usize)) ": " (number) }
                }
            }
            @if counts {
                @for (truth, row) in confusion.rows().iter().enumerate() {
                    @for (guess, &number) in row.iter().enumerate() {
                        @let share = number as f64 / totals[truth].max(1) as f64;
                        @let dark = share > 0.5;
                        text.ink[!dark] x=(n(left + center(guess))) y=(n(top + center(truth) + size * 0.36)) font-size=(n(size))
                            fill=(if dark { "#ffffff" } else { INK }) { (number) }
                    }
                }
            }
        }
        rect.rule x=(n(left)) y=(n(top)) width=(n(side)) height=(n(side)) fill="none" stroke=(INK) {}
        g.ink fill=(INK) font-size="13" {
            @for class in (0..count).step_by(every) {
                text x=(n(left - 8.0)) y=(n(top + center(class) + 4.5)) text-anchor="end" { (name(class)) }
                @if upright {
                    text transform={ "translate(" (n(left + center(class) + 4.0)) " " (n(top + side + 14.0)) ") rotate(-45)" } text-anchor="end" { (name(class)) }
                } @else {
                    text x=(n(left + center(class))) y=(n(top + side + 20.0)) text-anchor="middle" { (name(class)) }
                }
            }
            text x=(n(left + side / 2.0)) y=(n(height - 10.0)) text-anchor="middle" { "Predicted class" }
            text transform={ "translate(16 " (n(top + side / 2.0)) ") rotate(-90)" } text-anchor="middle" { "True class" }
        }
    };
    (markup, width, height)
}

fn shorten(name: &str, class: usize) -> String {
    match name.chars().count() {
        0 => class.to_string(),
        length if length > LONGEST => name.chars().take(LONGEST - 1).chain(['…']).collect(),
        _ => name.to_owned(),
    }
}
