//! Values of a recipe as words.

use luthier_recipe::Every;
use serde::Serialize;
use serde_json::Value;

use crate::text;

/// A tagged value as its name and its arguments: `SGD`, `momentum 0.9, nesterov`. Reads what the recipe would say, so
/// that a new transform or optimizer needs no line here. Switched-off and empty arguments are left out.
pub fn call(value: &impl Serialize, tag: &str) -> (String, String) {
    let Ok(Value::Object(fields)) = serde_json::to_value(value) else {
        return (String::new(), String::new());
    };
    let name = fields.get(tag).and_then(Value::as_str).unwrap_or_default().to_owned();
    let arguments: Vec<String> = fields
        .iter()
        .filter(|(key, _)| *key != tag)
        .filter_map(|(key, value)| match value {
            Value::Bool(true) => Some(key.clone()),
            Value::Bool(false) | Value::Null | Value::Object(_) => None,
            Value::Array(items) if items.is_empty() => None,
            value => Some(format!("{key} {}", word(value))),
        })
        .collect();
    (name, arguments.join(", "))
}

fn word(value: &Value) -> String {
    match value {
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), text::number),
        Value::String(word) => word.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(word).collect::<Vec<_>>().join(" ")),
        value => value.to_string(),
    }
}

/// A choice as the recipe writes it: `alternate`.
pub fn name(choice: &impl Serialize) -> String {
    let value = serde_json::to_value(choice).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// `every epoch`, `every 50 steps`
pub fn every(every: Every) -> String {
    match every {
        Every::Epochs(1) => "every epoch".to_owned(),
        Every::Epochs(number) => format!("every {number} epochs"),
        Every::Steps(1) => "every step".to_owned(),
        Every::Steps(number) => format!("every {number} steps"),
    }
}

/// `64×3×7×7`
pub fn shape(shape: &[i64], times: &str) -> String {
    if shape.is_empty() {
        return "scalar".to_owned();
    }
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(times)
}
