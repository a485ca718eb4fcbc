//! `--set KEY=VALUE`: typed and strict.

use std::ops::Range;

use crate::dom::{At, Node, Table, Text, Value, join, parse_value};
use crate::faults::Faults;
use crate::shape::{Shape, Tagged, root};
use crate::suggest::listed;
use crate::words::found;

/// A step of a key: `optim`, `groups`, `[0]`.
#[derive(Debug, Clone)]
struct Step {
    name: Name,
    span: Range<usize>,
}

#[derive(Debug, Clone)]
enum Name {
    Key(String),
    Index(usize),
}

/// Applies the arguments in order. Afterwards the document is walked as a file would be, so that a key or value
/// that can't be is told with the argument it came from.
pub(crate) fn apply(document: &mut Node, sets: &[String], faults: &mut Faults<'_>) -> Vec<String> {
    for (index, set) in sets.iter().enumerate() {
        let text = Text::Set(index);
        if let Err((span, message, help)) = apply_one(document, set, text) {
            faults.push(&At { text, span }, "", message, "", Some(help));
        }
    }
    let mut notes = Vec::new();
    drop_stale(document, root(), "", &mut notes);
    notes
}

type Refusal = (Range<usize>, String, String);

fn apply_one(document: &mut Node, set: &str, text: Text) -> Result<(), Refusal> {
    const HOW: &str = "write `--set KEY=VALUE`, such as `--set optim.lr=3e-4`";
    let Some((key, written)) = set.split_once('=') else {
        return Err((0..set.len(), "there is no `=`".to_string(), HOW.to_string()));
    };
    let steps = steps(key).map_err(|span| {
        let help = "write keys as `optim.lr` and entries of a list as `optim.groups[0].lr_scale`".to_string();
        (span, format!("`{}` is not a key", key.trim()), help)
    })?;
    let value = value(written, key.len() + 1, text, shapes_of(&steps));
    put(document, &steps, "", value, text)
}

/// Splits `optim.groups[0].lr_scale` into its steps.
fn steps(key: &str) -> Result<Vec<Step>, Range<usize>> {
    let mut steps = Vec::new();
    let mut start = key.len() - key.trim_start().len();
    for part in key.trim().split('.') {
        let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        let end = start + part.len();
        if name.is_empty()
            || name.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ']' | '"' | '\''))
        {
            return Err(start..end);
        }
        steps.push(Step { name: Name::Key(name.to_string()), span: start..start + name.len() });
        let mut at = start + name.len();
        for index in indices.split_inclusive(']') {
            let number = index.strip_prefix('[').and_then(|index| index.strip_suffix(']'));
            let number = number.and_then(|number| number.parse().ok()).ok_or(start..end)?;
            steps.push(Step { name: Name::Index(number), span: at..at + index.len() });
            at += index.len();
        }
        start = end + 1;
    }
    Ok(steps)
}

/// Every shape that may stand under a key; several when variants differ.
fn shapes_of(steps: &[Step]) -> Vec<&'static Shape> {
    let mut shapes = vec![root()];
    for step in steps {
        shapes = shapes.iter().flat_map(|shape| below(shape, &step.name)).collect();
    }
    shapes
}

fn below<'a>(shape: &'a Shape, name: &Name) -> Vec<&'a Shape> {
    match (shape, name) {
        (Shape::Table(fields) | Shape::OneKey(fields), Name::Key(key)) => {
            fields.iter().filter(|field| field.name == *key).map(|field| &field.shape).collect()
        }
        (Shape::Tagged(tagged), Name::Key(key)) => {
            // a tag is a word: any shape of text will do
            const WORD: &Shape = &Shape::Text { filled: true };
            let tag = (tagged.tag == *key).then_some(WORD);
            let fields = tagged.all_fields().filter(|field| field.name == *key).map(|field| &field.shape);
            tag.into_iter().chain(fields).collect()
        }
        (Shape::List { item, .. }, Name::Index(_)) | (Shape::Named(item), Name::Key(_)) => vec![&**item],
        (Shape::Either(shapes), name) => shapes.iter().flat_map(|shape| below(shape, name)).collect(),
        _ => Vec::new(),
    }
}

/// The value as TOML; as bare text where it is not TOML, or where the key wants text and TOML would read something
/// else (`--set name=42`).
fn value(written: &str, offset: usize, text: Text, shapes: Vec<&Shape>) -> Node {
    let only_text = |shape: &&Shape| matches!(shape, Shape::Text { .. } | Shape::Choice(_));
    let bare = || {
        let trimmed = written.trim();
        let start = offset + (written.len() - written.trim_start().len());
        let at = At { text, span: start..start + trimmed.len() };
        Node { value: Value::Text(trimmed.to_string()), key_at: at.clone(), at }
    };
    match parse_value(written.trim(), text, offset + (written.len() - written.trim_start().len())) {
        Some(node) if matches!(node.value, Value::Text(_)) => node,
        Some(_) if !shapes.is_empty() && shapes.iter().all(only_text) => bare(),
        Some(node) => node,
        // where no text is wanted the walk will say so
        None => bare(),
    }
}

fn put(node: &mut Node, steps: &[Step], path: &str, new: Node, text: Text) -> Result<(), Refusal> {
    let Some((step, rest)) = steps.split_first() else {
        let key_at = node.key_at.clone();
        *node = Node { key_at, ..new };
        return Ok(());
    };
    let at = At { text, span: step.span.clone() };
    match (&step.name, &mut node.value) {
        (Name::Key(key), Value::Table(table)) => {
            let path = join(path, key);
            if rest.is_empty() {
                table.insert(key.clone(), Node { key_at: at, ..new });
                return Ok(());
            }
            let fresh = || Node { value: empty_for(rest), at: at.clone(), key_at: at.clone() };
            put(table.entry(key.clone()).or_insert_with(fresh), rest, &path, new, text)
        }
        (Name::Index(index), Value::List(items)) => {
            let length = items.len();
            if *index == length {
                items.push(Node { value: empty_for(rest), at: at.clone(), key_at: at });
            }
            match items.get_mut(*index) {
                Some(item) => put(item, rest, &format!("{path}[{index}]"), new, text),
                None => {
                    let message = format!("`{path}` has no entry [{index}], it has {length}");
                    Err((step.span.clone(), message, format!("`{path}[{length}]` would add one")))
                }
            }
        }
        (Name::Key(key), _) => {
            let message = format!("`{path}` is {}, it has no key `{key}`", found(node));
            Err((step.span.clone(), message, format!("set `{path}` itself")))
        }
        (Name::Index(_), _) => {
            let message = format!("`{path}` is {}, it has no entries", found(node));
            Err((step.span.clone(), message, format!("set `{path}` itself")))
        }
    }
}

fn empty_for(rest: &[Step]) -> Value {
    match rest.first() {
        Some(Step { name: Name::Index(_), .. }) => Value::List(Vec::new()),
        _ => Value::Table(Table::new()),
    }
}

/// Where `--set` changed the tag of a table, the file's keys that only other variants have go, and a note says so.
fn drop_stale(node: &mut Node, shape: &Shape, path: &str, notes: &mut Vec<String>) {
    match (shape, &mut node.value) {
        (Shape::Tagged(tagged), Value::Table(table)) => {
            drop_stale_keys(table, tagged, path, notes);
            for field in tagged.all_fields() {
                if let Some(node) = table.get_mut(&field.name) {
                    drop_stale(node, &field.shape, &join(path, &field.name), notes);
                }
            }
        }
        (Shape::Table(fields), Value::Table(table)) => {
            for field in fields {
                if let Some(node) = table.get_mut(&field.name) {
                    drop_stale(node, &field.shape, &join(path, &field.name), notes);
                }
            }
        }
        (Shape::List { item, .. }, Value::List(items)) => {
            for (index, node) in items.iter_mut().enumerate() {
                drop_stale(node, item, &format!("{path}[{index}]"), notes);
            }
        }
        _ => {}
    }
}

fn drop_stale_keys(table: &mut Table, tagged: &Tagged, path: &str, notes: &mut Vec<String>) {
    let Some(Node { value: Value::Text(name), at: At { text: Text::Set(_), .. }, .. }) =
        table.get(&tagged.tag)
    else {
        return;
    };
    let name = name.clone();
    let Some(variant) = tagged.variant(&name) else { return };
    let stale = |key: &String, node: &Node| {
        node.key_at.text == Text::File
            && *key != tagged.tag
            && !tagged.fields(variant).any(|field| field.name == *key)
            && tagged.all_fields().any(|field| field.name == *key)
    };
    let dropped: Vec<String> =
        table.iter().filter(|(key, node)| stale(key, node)).map(|(key, _)| key.clone()).collect();
    if !dropped.is_empty() {
        table.retain(|key, _| !dropped.contains(key));
        let keys = listed(dropped.iter().map(String::as_str)).replace(" or ", " and ");
        let tag = join(path, &tagged.tag);
        notes
            .push(format!("`--set {tag}={name}` leaves out the recipe's {keys}, which {name} does not have"));
    }
}
