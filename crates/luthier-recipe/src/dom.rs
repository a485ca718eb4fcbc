//! TOML with the place of every key and value.

use std::ops::Range;

use indexmap::IndexMap;
use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At {
    pub text: Text,
    pub span: Range<usize>,
}

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    File,
    /// The n-th `--set` argument
    Set(usize),
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub value: Value,
    /// Place of the value; of the header for `[table]`
    pub at: At,
    /// Place of the key that holds the value
    pub key_at: At,
}

pub(crate) type Table = IndexMap<String, Node>;

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// A date or a time: TOML has them, recipes don't
    Date,
    /// A number that doesn't fit
    TooLarge,
    List(Vec<Node>),
    Table(Table),
}

/// A TOML document as a root node.
///
/// # Errors
/// Every syntax error with its span.
pub(crate) fn parse(text: &str) -> Result<Node, Vec<(String, Range<usize>)>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let at = At { text: Text::File, span: 0..0 };
        let value = Value::Table(self::table(table.get_ref(), Text::File, 0));
        return Ok(Node { value, key_at: at.clone(), at });
    }
    let spot = |error: toml::de::Error| {
        let end = text.len();
        let span = error.span().unwrap_or(end..end);
        (error.message().to_string(), span.start.min(end)..span.end.min(end))
    };
    Err(errors.into_iter().map(spot).collect())
}

/// One TOML value that starts at byte `offset` of a `--set` argument; `None` when it is not TOML.
pub(crate) fn parse_value(value: &str, text: Text, offset: usize) -> Option<Node> {
    let parsed = DeValue::parse(value).ok()?;
    let at = At { text, span: parsed.span().start + offset..parsed.span().end + offset };
    Some(Node { value: self::value(parsed.get_ref(), text, offset), key_at: at.clone(), at })
}

fn table(table: &DeTable<'_>, text: Text, offset: usize) -> Table {
    let at = |span: Range<usize>| At { text, span: span.start + offset..span.end + offset };
    let entry = |(key, node): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let value = value(node.get_ref(), text, offset);
        (name.to_string(), Node { value, at: at(node.span()), key_at: at(key.span()) })
    };
    table.iter().map(entry).collect()
}

fn value(value: &DeValue<'_>, text: Text, offset: usize) -> Value {
    match value {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::TooLarge,
        },
        DeValue::Float(float) => match float.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() || float.as_str().contains(['i', 'n']) => Value::Float(number),
            _ => Value::TooLarge,
        },
        DeValue::Boolean(bool) => Value::Bool(*bool),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => {
            let item = |item: &toml::Spanned<DeValue<'_>>| {
                let at = At { text, span: item.span().start + offset..item.span().end + offset };
                Node { value: self::value(item.get_ref(), text, offset), key_at: at.clone(), at }
            };
            Value::List(items.iter().map(item).collect())
        }
        DeValue::Table(entries) => Value::Table(table(entries, text, offset)),
    }
}

impl Node {
    /// The value as JSON, for serde. What JSON has no word for becomes null, which no key of a recipe accepts.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Bool(bool) => Json::from(*bool),
            Value::Integer(integer) => Json::from(*integer),
            Value::Float(float) => Json::from(*float),
            Value::Text(text) => Json::from(text.as_str()),
            Value::Date | Value::TooLarge => Json::Null,
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(table) => table.iter().map(|(key, node)| (key.clone(), node.to_json())).collect(),
        }
    }
}

/// `path.key`, or `key` at the top.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}
