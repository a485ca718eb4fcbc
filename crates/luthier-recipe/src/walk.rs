//! The strict walk: every key and value of the document against the schema.

use crate::dom::{Node, Table, Text, Value, join};
use crate::faults::Faults;
use crate::literal::line;
use crate::shape::{Field, Limits, Shape, Tagged, root_fields};
use crate::suggest::{did_you_mean, listed};
use crate::words::{bounds, clipped, found, keeps, wanted};

/// Checks `node`, which stands at `path`, against `shape`.
pub(crate) fn walk(node: &Node, shape: &Shape, path: &str, faults: &mut Faults<'_>) {
    match (shape, &node.value) {
        (Shape::Bool, Value::Bool(_)) => {}
        (Shape::Integer(limits), Value::Integer(integer)) => {
            within(*integer as f64, integer.to_string(), limits, node, path, faults);
        }
        (Shape::Number(limits), Value::Integer(integer)) => {
            within(*integer as f64, integer.to_string(), limits, node, path, faults);
        }
        (Shape::Number(limits), Value::Float(float)) => {
            within(*float, format!("{float:?}"), limits, node, path, faults);
        }
        (Shape::Text { filled }, Value::Text(text)) => {
            if *filled && text.is_empty() {
                faults.push(&node.at, path, format!("`{path}` is empty"), "", None);
            }
        }
        (Shape::Choice(choices), Value::Text(text)) => {
            word(text, choices.iter().map(|choice| choice.name.as_str()), node, path, faults);
        }
        (Shape::List { item, min, max }, Value::List(items)) => {
            if items.len() < *min || max.is_some_and(|max| items.len() > max) {
                let message = match (*min, *max) {
                    (min, Some(max)) if min == max => {
                        format!("`{path}` wants {min} entries, found {}", items.len())
                    }
                    _ => format!("`{path}` is an empty list"),
                };
                faults.push(&node.at, path, message, "", None);
            }
            for (index, node) in items.iter().enumerate() {
                walk(node, item, &format!("{path}[{index}]"), faults);
            }
        }
        (Shape::Table(fields), Value::Table(table)) => {
            keys(table, &fields.iter().collect::<Vec<_>>(), None, node, path, faults);
        }
        (Shape::Named(item), Value::Table(table)) => {
            for (key, node) in table {
                walk(node, item, &join(path, key), faults);
            }
        }
        (Shape::Tagged(tagged), Value::Table(table)) => tagged_table(table, tagged, node, path, faults),
        (Shape::OneKey(fields), Value::Table(table)) => one_key(table, fields, node, path, faults),
        (Shape::Either(shapes), _) => match shapes.iter().find(|shape| fits(shape, &node.value)) {
            Some(shape) => walk(node, shape, path, faults),
            None => wrong_type(node, shape, path, faults),
        },
        _ => wrong_type(node, shape, path, faults),
    }
}

/// Whether a value is of a shape's kind, so that its faults are best told in that shape's terms.
fn fits(shape: &Shape, value: &Value) -> bool {
    match shape {
        Shape::Bool => matches!(value, Value::Bool(_)),
        Shape::Integer(_) => matches!(value, Value::Integer(_)),
        Shape::Number(_) => matches!(value, Value::Integer(_) | Value::Float(_)),
        Shape::Text { .. } | Shape::Choice(_) => matches!(value, Value::Text(_)),
        Shape::List { .. } => matches!(value, Value::List(_)),
        Shape::Table(_) | Shape::Named(_) | Shape::Tagged(_) | Shape::OneKey(_) => {
            matches!(value, Value::Table(_))
        }
        Shape::Either(shapes) => shapes.iter().any(|shape| fits(shape, value)),
    }
}

fn wrong_type(node: &Node, shape: &Shape, path: &str, faults: &mut Faults<'_>) {
    let help = match (shape, &node.value) {
        (Shape::Integer(_), Value::Float(float)) if float.fract() == 0.0 && float.abs() < 1e15 => {
            Some(format!("write `{}`, without a decimal point", *float as i64))
        }
        (Shape::Number(_) | Shape::Integer(_), Value::Text(text)) if text.trim().parse::<f64>().is_ok() => {
            Some(format!("write `{}`, without quotes", text.trim()))
        }
        (Shape::Bool, Value::Text(text)) if text == "true" || text == "false" => {
            Some(format!("write `{text}`, without quotes"))
        }
        (Shape::List { .. }, Value::Text(text)) => {
            let bare = text.trim_start_matches('[').trim_end_matches(']');
            let entries: Vec<String> = bare.split(',').map(|entry| format!("\"{}\"", entry.trim())).collect();
            let list = clipped(&format!("[{}]", entries.join(", ")), 80);
            match node.at.text {
                Text::File => Some(format!("write a list: `{list}`")),
                Text::Set(_) => Some(format!("write a list, quoted for the shell: `--set '{path}={list}'`")),
            }
        }
        _ => Some(format!("`luthier explain {}` says what it takes", explainable(path))),
    };
    let message = format!("`{path}` wants {}, found {}", wanted(shape), found(node));
    faults.push(&node.at, path, message, "", help);
}

fn within(value: f64, shown: String, limits: &Limits, node: &Node, path: &str, faults: &mut Faults<'_>) {
    if !value.is_finite() || (limits.single && !(value as f32).is_finite()) {
        faults.push(&node.at, path, format!("`{path}` must be a finite number, found {shown}"), "", None);
    } else if !keeps(limits, value)
        && let Some(bounds) = bounds(limits)
    {
        faults.push(&node.at, path, format!("`{path}` must be {bounds}, found {shown}"), "", None);
    }
}

/// A word that must be one of `allowed`; whether it is.
fn word<'a>(
    text: &str,
    allowed: impl Iterator<Item = &'a str> + Clone,
    node: &Node,
    path: &str,
    faults: &mut Faults<'_>,
) -> bool {
    let known = allowed.clone().any(|name| name == text);
    if !known {
        let choices = listed(allowed.clone());
        let help = match did_you_mean(text, allowed) {
            Some(meant) => format!("did you mean `{meant}`? `{path}` can be {choices}"),
            None => format!("`{path}` can be {choices}"),
        };
        let message = format!("`{path}` can't be `{}`", clipped(text, 40));
        faults.push(&node.at, path, message, "", Some(help));
    }
    known
}

fn tagged_table(table: &Table, tagged: &Tagged, node: &Node, path: &str, faults: &mut Faults<'_>) {
    let tag_path = join(path, &tagged.tag);
    let names = tagged.variants.iter().map(|variant| variant.name.as_str());
    let variant = match table.get(&tagged.tag) {
        None => {
            let help = format!("`{}` can be {}", tagged.tag, listed(names));
            faults.push(&node.at, &tag_path, missing(&tagged.tag, path), "", Some(help));
            None
        }
        Some(tag) => match &tag.value {
            Value::Text(text) if word(text, names.clone(), tag, &tag_path, faults) => tagged.variant(text),
            Value::Text(_) => None,
            _ => {
                let message = format!("`{tag_path}` wants {}, found {}", listed(names), found(tag));
                faults.push(&tag.at, &tag_path, message, "", None);
                None
            }
        },
    };
    match variant {
        Some(variant) => {
            keys(table, &tagged.fields(variant).collect::<Vec<_>>(), Some(tagged), node, path, faults)
        }
        // which keys belong can't be known: only those that no variant has are certainly wrong
        None => {
            let any: Vec<&Field> = tagged.all_fields().collect();
            for (key, node) in table {
                if *key != tagged.tag && !any.iter().any(|field| field.name == *key) {
                    unknown_key(key, node, &any, Some(tagged), None, path, faults);
                }
            }
        }
    }
}

fn one_key(table: &Table, fields: &[Field], node: &Node, path: &str, faults: &mut Faults<'_>) {
    if table.len() != 1 {
        let names = listed(fields.iter().map(|field| field.name.as_str()));
        let help = fields
            .iter()
            .map(|field| format!("`{}`", line(&field.name, field)))
            .collect::<Vec<_>>()
            .join(" or ");
        let message = format!("`{path}` wants exactly one of {names}");
        faults.push(&node.at, path, message, "", Some(format!("write {help}")));
    }
    let optional: Vec<Field> =
        fields.iter().map(|field| Field { required: false, ..field.clone() }).collect();
    keys(table, &optional.iter().collect::<Vec<_>>(), None, node, path, faults);
}

fn keys(
    table: &Table,
    fields: &[&Field],
    tagged: Option<&Tagged>,
    node: &Node,
    path: &str,
    faults: &mut Faults<'_>,
) {
    let tag = tagged.and_then(|tagged| table.get(&tagged.tag));
    let mut meant = Vec::new();
    for (key, node) in table {
        match fields.iter().find(|field| field.name == *key) {
            Some(field) => walk(node, &field.shape, &join(path, key), faults),
            None if tagged.is_some_and(|tagged| tagged.tag == *key) => {}
            None => meant.extend(unknown_key(key, node, fields, tagged, tag, path, faults)),
        }
    }
    // each stream may have its own of these; without streams the run has them
    let shared = path.is_empty() && !table.contains_key("streams");
    let needed = |field: &&&Field| field.required || shared && matches!(&*field.name, "data" | "optim");
    for field in fields.iter().filter(needed).filter(|field| !table.contains_key(&field.name)) {
        // a misspelt key is missing only once it is spelt right and still not there
        if meant.contains(&field.name) {
            continue;
        }
        let help = match field.shape {
            Shape::Table(_) | Shape::Tagged(_) => {
                format!("add a table `[{}]`: {}", join(path, &field.name), field.about)
            }
            _ => format!("add `{}`: {}", line(&field.name, field), field.about),
        };
        // told at the table's header, or at the `--set` that made the key necessary
        let cause = tag.filter(|tag| matches!(tag.at.text, Text::Set(_))).unwrap_or(node);
        faults.push(&cause.at, &join(path, &field.name), missing(&field.name, path), "", Some(help));
    }
}

fn missing(key: &str, path: &str) -> String {
    format!("`{key}` is missing{}", in_table(path))
}

/// " in `[optim]`"; nothing at the top of the file.
fn in_table(path: &str) -> String {
    match path {
        "" => String::new(),
        path if path.contains('[') => format!(" in `{path}`"),
        path => format!(" in `[{path}]`"),
    }
}

/// Tells an unknown key and returns the key of this table that was meant.
fn unknown_key(
    key: &str,
    node: &Node,
    fields: &[&Field],
    tagged: Option<&Tagged>,
    chosen: Option<&Node>,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<String> {
    let whole = join(path, key);
    let shown = clipped(key, 40);
    // a key of another variant is known, but not with this tag
    if let (Some(tagged), Some(Node { value: Value::Text(name), .. })) = (tagged, chosen) {
        let owners =
            tagged.variants.iter().filter(|variant| variant.fields.iter().any(|field| field.name == key));
        let owners = listed(owners.map(|variant| variant.name.as_str()));
        if !owners.is_empty() {
            let message = format!("`{shown}` is not a key of `{name}`{}", in_table(path));
            let help = format!("`{shown}` goes with `{}` = {owners}", tagged.tag);
            faults.push(&node.key_at, &whole, message, "", Some(help));
            return None;
        }
    }
    let tag = tagged.map(|tagged| tagged.tag.as_str());
    let names: Vec<&str> = tag.into_iter().chain(fields.iter().map(|field| field.name.as_str())).collect();
    let near = did_you_mean(key, names.iter().copied());
    let elsewhere = homes(key);
    let near = near.filter(|near| elsewhere.is_empty() || near.eq_ignore_ascii_case(key));
    let help = match near {
        None if !elsewhere.is_empty() => {
            let homes: Vec<String> = elsewhere.iter().map(|home| home_in_words(home)).collect();
            format!("`{shown}` belongs {}", homes.join(" or "))
        }
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.len() <= 12 => format!("the keys here are {}", listed(names).replace(" or ", " and ")),
        None => "`luthier explain` lists the keys of a table".to_string(),
    };
    let message = format!("unknown key `{shown}`{}", in_table(path));
    faults.push(&node.key_at, &whole, message, "", Some(help));
    near.map(str::to_string)
}

fn home_in_words(home: &str) -> String {
    match home {
        "" => "at the top of the file, before the first `[table]`".to_string(),
        home => format!("in `[{home}]`"),
    }
}

/// The tables that have this key; "" is the top of the file. Keys within lists are left out.
fn homes(key: &str) -> Vec<String> {
    let mut homes = Vec::new();
    collect_homes(key, "", root_fields().iter(), &mut homes);
    homes.dedup();
    homes
}

fn collect_homes<'a>(
    key: &str,
    path: &str,
    fields: impl Iterator<Item = &'a Field>,
    homes: &mut Vec<String>,
) {
    for field in fields {
        if field.name == key {
            homes.push(path.to_string());
        }
        let below = join(path, &field.name);
        match &field.shape {
            Shape::Table(fields) => collect_homes(key, &below, fields.iter(), homes),
            Shape::Tagged(tagged) => collect_homes(key, &below, tagged.all_fields(), homes),
            _ => {}
        }
    }
}

/// The key, or the nearest table around it, as `luthier explain` knows it: `optim.groups.lr` for `optim.groups[0].lr`.
fn explainable(path: &str) -> String {
    let mut name = String::new();
    let mut inside = false;
    for letter in path.chars() {
        match letter {
            '[' => inside = true,
            ']' => inside = false,
            _ if !inside => name.push(letter),
            _ => {}
        }
    }
    while crate::explain(&name).is_none()
        && let Some(dot) = name.rfind('.')
    {
        name.truncate(dot);
    }
    name
}
