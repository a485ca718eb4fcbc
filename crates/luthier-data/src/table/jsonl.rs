//! One JSON object a line.

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    Column, RowFault, TableError, TableOptions, collect::Collector, columns::no_column, labels::listed, tsv,
};

/// Reads every line; blank ones are passed over. Returns the file's hash.
pub(super) fn read(
    path: &Path,
    options: &TableOptions,
    rows: &mut Collector<'_>,
) -> Result<u128, TableError> {
    let (text, label) = (key(path, &options.text)?, key(path, &options.label)?);
    if text == label {
        return Err(TableError::SameColumn { path: path.to_owned(), column: format!("`{text}`") });
    }
    let mut first = true;
    tsv::lines(path, |line, bytes| {
        let mut object: Map<String, Value> = match serde_json::from_slice(bytes) {
            Ok(object) => object,
            Err(_) if first && bytes.starts_with(b"[") => return Err(one_array(path)),
            Err(_) if bytes.trim_ascii().is_empty() => return Ok(()),
            Err(error) => return rows.fault(line, RowFault::NotJson { reason: reason(&error) }),
        };
        if std::mem::take(&mut first) {
            // what the first object lacks is most likely misspelt
            for (key, what) in [(text, "text"), (label, "label")] {
                if !object.contains_key(key) {
                    return Err(no_column(path, key, what, &object.keys().cloned().collect::<Vec<_>>()));
                }
            }
        }
        match (object.remove(label), object.remove(text)) {
            (Some(label_value), Some(Value::String(text))) => match written(&label_value) {
                Some(label) => rows.row(line, &label, text),
                None => rows.fault(line, kind(label, &label_value, "a word, a number or a truth value")),
            },
            (None, _) => rows.fault(line, missing(label, &object)),
            (_, None) => rows.fault(line, missing(text, &object)),
            (_, Some(Value::Null)) => rows.fault(line, RowFault::EmptyText),
            (_, Some(value)) => rows.fault(line, kind(text, &value, "a text")),
        }
    })
}

fn key<'a>(path: &Path, column: &'a Column) -> Result<&'a str, TableError> {
    match column {
        Column::Name(name) => Ok(name),
        Column::Index(index) => Err(TableError::IndexInObject { path: path.to_owned(), index: *index }),
    }
}

/// A label as it would be written; null is an empty one.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn missing(key: &str, object: &Map<String, Value>) -> RowFault {
    let has: Vec<String> = object.keys().cloned().collect();
    RowFault::MissingKey { key: key.to_owned(), has: listed(&has) }
}

pub(super) fn kind(key: &str, value: &Value, wanted: &'static str) -> RowFault {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    RowFault::Kind { key: key.to_owned(), found, wanted }
}

/// The parser counts lines from 1 within each line, which says nothing.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let what = whole.split(" at line ").next().unwrap_or(&whole);
    format!("{what} (column {})", error.column())
}

pub(super) fn one_array(path: &Path) -> TableError {
    TableError::Format {
        path: path.to_owned(),
        wanted: "JSON lines",
        reason: "it is one list, and each line must be an object of its own".to_owned(),
        help: "rewrite it: `jq -c '.[]' FILE > NEW`".to_owned(),
    }
}
