//! What a key is for: `luthier explain optim.lr`.

use std::fmt::Write;

use crate::dom::join;
use crate::literal::{example, line, literal};
use crate::shape::{Choice, Field, Shape, Tagged, Variant, root_fields};
use crate::suggest::did_you_mean;
use crate::words::{bounds, wanted};

/// What a key stands for.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Field(&'a Field),
    /// The word that picks a variant, such as `optim.type`
    Tag(&'a Tagged),
    Variant(&'a Tagged, &'a Variant),
    Choice(&'a Choice),
}

/// What a key is: its type, default, allowed values, meaning and an example; for a table its keys.
///
/// Keys are written as in `--set`, indices may be left out. The variants of a table are keys too
/// (`schedule.StepLR`, `data.transform.Resize`), and a key that is in one place only may be given alone (`lr_scale`).
/// `None` when there is no such key: [`suggest_key`] may know what was meant.
pub fn explain(key: &str) -> Option<String> {
    let key = plain(key);
    let paths = paths();
    let exact: Vec<&(String, Subject<'_>)> = paths.iter().filter(|(path, _)| *path == key).collect();
    let subjects = if exact.is_empty() {
        // a stream's keys are those of the whole run over again
        let own = |path: &str| !path.starts_with("streams.");
        let by_name: Vec<_> = paths
            .iter()
            .filter(|(path, _)| {
                last(path) == key
                    && (own(path) || !paths.iter().any(|(other, _)| own(other) && last(other) == key))
            })
            .collect();
        let first = by_name.first().map(|(path, _)| path.clone())?;
        by_name.iter().all(|(path, _)| *path == first).then_some(by_name)?
    } else {
        exact
    };
    let mut out = String::new();
    let mut told = Vec::new();
    for (path, subject) in subjects {
        let text = describe(path, *subject);
        if !told.contains(&text) {
            out.push_str(if told.is_empty() { "" } else { "\n" });
            out.push_str(&text);
            told.push(text);
        }
    }
    Some(out)
}

/// The key that was probably meant by one that [`explain`] does not know.
pub fn suggest_key(key: &str) -> Option<String> {
    let key = plain(key);
    let paths = paths();
    let names = || paths.iter().map(|(path, _)| path.as_str());
    let by_path = || did_you_mean(&key, names()).map(str::to_string);
    let by_name = || {
        let name = did_you_mean(last(&key), names().map(last))?;
        names().find(|path| last(path) == name).map(str::to_string)
    };
    names().find(|path| last(path) == key).map(str::to_string).or_else(by_path).or_else(by_name)
}

/// Without indices and spaces.
fn plain(key: &str) -> String {
    let mut depth = 0_usize;
    let outside = key.trim().chars().filter(|c| {
        depth = if *c == '[' { depth + 1 } else { depth };
        let keep = depth == 0;
        depth = if *c == ']' { depth.saturating_sub(1) } else { depth };
        keep
    });
    outside.collect()
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Every key with what it stands for. A key that several variants have is there several times.
fn paths() -> Vec<(String, Subject<'static>)> {
    let mut paths = Vec::new();
    for field in root_fields() {
        collect("", field, &mut paths);
    }
    paths
}

fn collect(path: &str, field: &'static Field, paths: &mut Vec<(String, Subject<'static>)>) {
    let own = join(path, &field.name);
    paths.push((own.clone(), Subject::Field(field)));
    collect_below(&own, path, &field.shape, paths);
}

fn collect_below(
    path: &str,
    parent: &str,
    shape: &'static Shape,
    paths: &mut Vec<(String, Subject<'static>)>,
) {
    match shape {
        Shape::Table(fields) | Shape::OneKey(fields) => {
            fields.iter().for_each(|field| collect(path, field, paths));
        }
        Shape::Tagged(tagged) => {
            paths.push((join(path, &tagged.tag), Subject::Tag(tagged)));
            tagged.common.iter().for_each(|field| collect(path, field, paths));
            for variant in &tagged.variants {
                paths.push((join(path, &variant.name), Subject::Variant(tagged, variant)));
                for field in &variant.fields {
                    collect(path, field, paths);
                    collect(&join(path, &variant.name), field, paths);
                }
            }
        }
        // the entries of a list stand under the list's table: `data.transform.Resize`
        Shape::List { item, .. } => match &**item {
            Shape::Tagged(_) => collect_below(parent, parent, item, paths),
            item => collect_below(path, parent, item, paths),
        },
        Shape::Named(item) => collect_below(path, parent, item, paths),
        Shape::Choice(choices) => {
            paths.extend(choices.iter().map(|choice| (join(path, &choice.name), Subject::Choice(choice))));
        }
        Shape::Either(shapes) => shapes.iter().for_each(|shape| collect_below(path, parent, shape, paths)),
        Shape::Bool | Shape::Integer(_) | Shape::Number(_) | Shape::Text { .. } => {}
    }
}

fn describe(path: &str, subject: Subject<'_>) -> String {
    let mut out = String::new();
    match subject {
        Subject::Field(field) => {
            title(path, &field.about, &mut out);
            rows(&field_rows(field), &mut out);
            below(&field.shape, &mut out);
        }
        Subject::Tag(tagged) => {
            title(path, "Decides which other keys the table has", &mut out);
            variants("one of", tagged, &mut out);
        }
        Subject::Variant(tagged, variant) => {
            title(path, &variant.about, &mut out);
            let mut example = vec![format!("{} = {}", tagged.tag, literal(&variant.name.as_str().into()))];
            let required = tagged.fields(variant).filter(|field| field.required);
            example.extend(required.map(|field| line(&field.name, field)));
            rows(&[("example", format!("{{ {} }}", example.join(", ")))], &mut out);
            list_fields("keys", tagged.fields(variant), &mut out);
        }
        Subject::Choice(choice) => title(path, &choice.about, &mut out),
    }
    out
}

fn title(path: &str, about: &str, out: &mut String) {
    let _ = writeln!(out, "{path}\n  {about}");
}

/// Type, default, bounds and example of a key.
fn field_rows(field: &Field) -> Vec<(&'static str, String)> {
    let kind = match &field.shape {
        Shape::Choice(_) => "one of the words below".to_string(),
        shape => wanted(shape),
    };
    let mut rows = vec![("type", kind)];
    rows.extend(limits(&field.shape).map(|bounds| ("allowed", bounds)));
    rows.push(("default", default_in_words(field)));
    // a table's example would be its required keys over again
    if !example(field).is_null() {
        rows.push(("example", line(&field.name, field)));
    }
    rows
}

/// The default as TOML, or what its absence means.
fn default_in_words(field: &Field) -> String {
    match &field.default {
        Some(default) => literal(default),
        None if field.required => "none, it must be given".to_string(),
        None => "not given".to_string(),
    }
}

/// The bounds of a number, or of each number of a list.
pub(crate) fn limits(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Integer(limits) | Shape::Number(limits) => bounds(limits),
        Shape::List { item, .. } => limits(item).map(|bounds| format!("each {bounds}")),
        Shape::Either(shapes) => shapes.iter().find_map(limits),
        _ => None,
    }
}

fn rows(rows: &[(&str, String)], out: &mut String) {
    out.push('\n');
    for (name, text) in rows {
        let _ = writeln!(out, "  {name:<9}{text}");
    }
}

fn below(shape: &Shape, out: &mut String) {
    match shape {
        Shape::Table(fields) | Shape::OneKey(fields) => list_fields("keys", fields.iter(), out),
        Shape::Tagged(tagged) => {
            variants(&format!("{} is one of", tagged.tag), tagged, out);
            list_fields("keys besides those of each", tagged.common.iter(), out);
        }
        Shape::Choice(choices) => {
            let rows = choices.iter().map(|choice| (choice.name.as_str(), choice.about.clone()));
            list("words", rows, out);
        }
        Shape::List { item, .. } | Shape::Named(item) => below(item, out),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| below(shape, out)),
        _ => {}
    }
}

fn variants(heading: &str, tagged: &Tagged, out: &mut String) {
    list(heading, tagged.variants.iter().map(|variant| (variant.name.as_str(), variant.about.clone())), out);
}

fn list_fields<'a>(heading: &str, fields: impl Iterator<Item = &'a Field>, out: &mut String) {
    let row = |field: &'a Field| {
        let default = match (&field.default, field.required) {
            (Some(default), _) if !default.is_object() => format!(" (default {})", literal(default)),
            (None, true) => " (required)".to_string(),
            _ => String::new(),
        };
        (field.name.as_str(), format!("{}{default}", field.about))
    };
    list(heading, fields.map(row), out);
}

fn list<'a>(heading: &str, rows: impl Iterator<Item = (&'a str, String)>, out: &mut String) {
    let rows: Vec<(&str, String)> = rows.collect();
    let Some(width) = rows.iter().map(|(name, _)| name.chars().count()).max() else { return };
    let _ = writeln!(out, "\n  {heading}:");
    for (name, about) in rows {
        let _ = writeln!(out, "    {name:<width$}  {about}");
    }
}
