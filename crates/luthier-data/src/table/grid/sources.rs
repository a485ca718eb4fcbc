//! Lines of CSV, TSV and JSON as rows.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::rows::{Rows, Value};
use crate::table::{RowFault, TableError, csv, jsonl, tsv};

pub(super) fn csv(path: &Path, rows: &mut Rows<'_>) -> Result<u128, TableError> {
    csv::records(path, |line, record| match record {
        Ok(record) => rows.line(line, &record.iter().collect::<Vec<_>>()),
        Err(fault) => rows.fault(line, fault),
    })
}

pub(super) fn tsv(path: &Path, rows: &mut Rows<'_>) -> Result<u128, TableError> {
    tsv::lines(path, |line, bytes| rows.line(line, &bytes.split(|byte| *byte == b'\t').collect::<Vec<_>>()))
}

/// A JSON object a line; the keys of the first name the columns.
pub(super) fn jsonl(path: &Path, rows: &mut Rows<'_>) -> Result<u128, TableError> {
    let mut names: Vec<String> = Vec::new();
    tsv::lines(path, |line, bytes| {
        let object: Map<String, Json> = match serde_json::from_slice(bytes) {
            Ok(object) => object,
            Err(_) if bytes.trim_ascii().is_empty() => return Ok(()),
            Err(_) if !rows.begun() && bytes.starts_with(b"[") => return Err(jsonl::one_array(path)),
            Err(error) => return rows.fault(line, RowFault::NotJson { reason: jsonl::reason(&error) }),
        };
        if !rows.begun() {
            rows.find(&object.keys().cloned().collect::<Vec<_>>())?;
            names = rows.names();
        }
        let mut values = Vec::with_capacity(names.len());
        for name in &names {
            values.push(match object.get(name) {
                None => return rows.fault(line, jsonl::missing(name, &object)),
                Some(Json::Null) => None,
                Some(Json::Number(number)) => number.as_f64().map(Value::Number),
                Some(Json::String(text)) => Some(Value::Text(text)),
                Some(Json::Bool(truth)) => Some(Value::Text(if *truth { "true" } else { "false" })),
                Some(value) => return rows.fault(line, jsonl::kind(name, value, "a number or a word")),
            });
        }
        rows.row(line, &values);
        Ok(())
    })
}
