//! Shapes and values in words.

use crate::dom::{Node, Value};
use crate::shape::{Limits, Shape};
use crate::suggest::listed;

/// What a shape wants: "a whole number", "`cos` or `linear`".
pub(crate) fn wanted(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "`true` or `false`".into(),
        Shape::Integer(_) => "a whole number".into(),
        Shape::Number(_) => "a number".into(),
        Shape::Text { .. } => "text".into(),
        Shape::Choice(choices) => listed(choices.iter().map(|choice| choice.name.as_str())),
        Shape::List { item, min, max } if *max == Some(*min) => format!("a list of {min} {}", plural(item)),
        Shape::List { item, .. } => format!("a list of {}", plural(item)),
        Shape::Table(_) | Shape::Tagged(_) => "a table".into(),
        Shape::Named(item) => format!("a table of {} by name", plural(item)),
        Shape::OneKey(fields) => {
            format!("a table with {}", listed(fields.iter().map(|field| field.name.as_str())))
        }
        Shape::Either(shapes) => shapes.iter().map(wanted).collect::<Vec<_>>().join(", or "),
    }
}

fn plural(shape: &Shape) -> String {
    match shape {
        Shape::Integer(_) => "whole numbers".into(),
        Shape::Number(_) => "numbers".into(),
        Shape::Text { .. } => "texts".into(),
        Shape::Table(_) | Shape::Tagged(_) => "tables".into(),
        other => wanted(other),
    }
}

/// What was found instead.
pub(crate) fn found(node: &Node) -> String {
    match &node.value {
        Value::Bool(bool) => format!("`{bool}`"),
        Value::Integer(integer) => format!("the whole number {integer}"),
        Value::Float(float) => format!("the number {float:?}"),
        Value::Text(text) => format!("the text `{}`", clipped(text, 40)),
        Value::Date => "a date".into(),
        Value::TooLarge => "a number that is too large".into(),
        Value::List(items) if items.is_empty() => "an empty list".into(),
        Value::List(items) => format!("a list of {}", items.len()),
        Value::Table(_) => "a table".into(),
    }
}

/// The first characters of a text from a stranger, with no control character that a terminal would obey.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(most) {
        if c.is_control() { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// What bounds ask for: "greater than 0 and less than 1"; nothing when there are none worth saying.
pub(crate) fn bounds(limits: &Limits) -> Option<String> {
    let lower = match (limits.at_least, limits.above) {
        (_, Some(above)) => Some(format!("greater than {above}")),
        (Some(at_least), None) => Some(format!("at least {at_least}")),
        (None, None) => None,
    };
    let upper = match (limits.at_most, limits.below) {
        (_, Some(below)) => Some(format!("less than {below}")),
        (Some(at_most), None) => Some(format!("at most {at_most}")),
        (None, None) => None,
    };
    match (lower, upper) {
        (Some(lower), Some(upper)) => Some(format!("{lower} and {upper}")),
        (lower, upper) => lower.or(upper),
    }
}

/// Whether a number keeps its bounds.
pub(crate) fn keeps(limits: &Limits, value: f64) -> bool {
    limits.at_least.is_none_or(|bound| value >= bound)
        && limits.above.is_none_or(|bound| value > bound)
        && limits.at_most.is_none_or(|bound| value <= bound)
        && limits.below.is_none_or(|bound| value < bound)
}
