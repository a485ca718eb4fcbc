//! Values as TOML.

use serde_json::Value;

use crate::shape::{Field, Shape};

/// A value as TOML, on one line: what may stand behind the `=` of `--set`. What JSON calls null is `nan`.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nan".to_string(),
        Value::Bool(bool) => bool.to_string(),
        // serde_json writes the shortest digits that read back the same, which is TOML as it stands
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) if entries.is_empty() => "{}".to_string(),
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key} = {}", literal(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// JSON's escapes are TOML's, but for the delete character, which TOML wants escaped as well.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// `key = value` with an example value.
pub(crate) fn line(key: &str, field: &Field) -> String {
    format!("{key} = {}", literal(&example(field)))
}

/// A value that is allowed: the example of the type, or the default, or the first choice.
pub(crate) fn example(field: &Field) -> Value {
    let first_choice = match &field.shape {
        Shape::Choice(choices) => choices.first().map(|choice| Value::from(choice.name.as_str())),
        _ => None,
    };
    field.example.clone().or_else(|| field.default.clone()).or(first_choice).unwrap_or(Value::Null)
}
