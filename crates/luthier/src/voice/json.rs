use miette::Diagnostic;
use serde_json::{Map, Value, json};

use super::render::{causes, hint, place};

/// A diagnostic as one JSON object on one line: `{"error": {"message", "caused_by", "hint", "file", "line",
/// "column", "related"}}`; what there is not is left out.
pub fn error(diagnostic: &dyn Diagnostic) -> String {
    json!({ "error": object(diagnostic) }).to_string()
}

fn object(diagnostic: &dyn Diagnostic) -> Value {
    let mut object = Map::new();
    object.insert("message".to_owned(), json!(diagnostic.to_string()));
    let causes = causes(diagnostic);
    if !causes.is_empty() {
        object.insert("caused_by".to_owned(), json!(causes));
    }
    if let Some(hint) = hint(diagnostic) {
        object.insert("hint".to_owned(), json!(hint));
    }
    if let Some(place) = place(diagnostic) {
        if let Some(file) = &place.file {
            object.insert("file".to_owned(), json!(file));
        }
        object.insert("line".to_owned(), json!(place.line));
        object.insert("column".to_owned(), json!(place.column));
    }
    let related: Vec<Value> = diagnostic.related().into_iter().flatten().map(object_of).collect();
    if !related.is_empty() {
        object.insert("related".to_owned(), json!(related));
    }
    Value::Object(object)
}

fn object_of(diagnostic: &dyn Diagnostic) -> Value {
    object(diagnostic)
}
