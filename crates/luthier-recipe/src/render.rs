//! A recipe written out: every key, every default, and what each is for.

use serde_json::Value;

use crate::Recipe;
use crate::dom::join;
use crate::literal::literal;
use crate::shape::{Field, Shape, Tagged, root_fields};

/// The widest `key = value` that comments are still lined up with.
const WIDEST: usize = 40;

/// The longest line that a comment may make.
const LONGEST: usize = 120;

/// The recipe as TOML with every default written out. Keys that are not given stand as comments.
pub fn render(recipe: &Recipe) -> String {
    // derived, and without a map whose keys could fail
    let value = serde_json::to_value(recipe).unwrap_or_default();
    let mut out = String::new();
    table("", root_fields().iter().collect(), None, &value, &mut out);
    out
}

/// A table: its scalars first, as TOML wants it, then its own tables.
fn table(path: &str, fields: Vec<&Field>, tag: Option<&Tagged>, value: &Value, out: &mut String) {
    let (tables, lines): (Vec<&Field>, Vec<&Field>) =
        fields.into_iter().partition(|field| stands_alone(path, field));
    let mut rows: Vec<(String, &str)> = Vec::new();
    if let Some(tagged) = tag {
        let name = value[&tagged.tag].as_str().unwrap_or_default();
        let about = tagged.variant(name).map_or("", |variant| &variant.about);
        rows.push((format!("{} = {}", tagged.tag, literal(&value[&tagged.tag])), about));
    }
    for field in lines {
        rows.push((row(field, value.get(&field.name)), &field.about));
    }
    let one_line = rows.iter().filter(|(row, _)| !row.contains('\n')).map(|(row, _)| row.chars().count());
    let column = one_line.filter(|width| *width <= WIDEST).max().unwrap_or(0) + 2;
    for (row, about) in rows {
        if row.contains('\n') {
            out.push_str(&format!("# {about}\n{row}\n"));
        } else {
            let row = format!("{row:<width$}  ", width = column - 2);
            let left = LONGEST.saturating_sub(row.chars().count() + 2);
            out.push_str(&format!("{row}# {}\n", shortened(about, left)));
        }
    }
    for field in tables {
        let path = join(path, &field.name);
        let value = &value[&field.name];
        if value.is_null() {
            // a header alone would give the table, empty
            out.push_str(&format!("\n# {}\n# [{path}]\n", field.about));
            continue;
        }
        out.push_str(&format!("\n# {}\n[{path}]\n", field.about));
        match &field.shape {
            Shape::Table(fields) => table(&path, fields.iter().collect(), None, value, out),
            Shape::Tagged(tagged) => {
                let variant = value[&tagged.tag].as_str().and_then(|name| tagged.variant(name));
                let fields = variant.into_iter().flat_map(|variant| tagged.fields(variant)).collect();
                table(&path, fields, Some(tagged), value, out);
            }
            _ => {}
        }
    }
}

/// Top-level tables have a header, and so do those whose lists of tables would be too long for one line.
fn stands_alone(path: &str, field: &Field) -> bool {
    match &field.shape {
        Shape::Table(_) | Shape::Tagged(_) if path.is_empty() => true,
        Shape::Table(fields) => fields.iter().any(|field| lists_tables(&field.shape)),
        _ => false,
    }
}

fn lists_tables(shape: &Shape) -> bool {
    matches!(shape, Shape::List { item, .. } if matches!(**item, Shape::Table(_) | Shape::Tagged(_)))
}

fn row(field: &Field, value: Option<&Value>) -> String {
    match value {
        None => format!("# {} = {}", field.name, blank(field)),
        Some(Value::Array(items)) if lists_tables(&field.shape) && !items.is_empty() => {
            let items: String = items.iter().map(|item| format!("  {},\n", literal(item))).collect();
            format!("{} = [\n{items}]", field.name)
        }
        Some(value) => format!("{} = {}", field.name, literal(value)),
    }
}

/// What stands for a value that is not given.
fn blank(field: &Field) -> String {
    match &field.shape {
        Shape::Table(fields) => {
            let entry = |field: &Field| match &field.default {
                Some(default) => format!("{} = {}", field.name, literal(default)),
                None => format!("{} = …", field.name),
            };
            format!("{{ {} }}", fields.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        _ => "…".to_string(),
    }
}

/// A comment that is too long for its line is cut where its meaning allows: `luthier explain` has all of it.
fn shortened(about: &str, room: usize) -> String {
    if about.chars().count() <= room {
        return about.to_string();
    }
    let cuts = about.match_indices([';', ':', ',', '.']).map(|(index, _)| &about[..index]);
    let mut fitting = cuts.filter(|cut| {
        cut.chars().count() + 3 <= room && !cut.ends_with('`') && cut.matches('`').count() % 2 == 0
    });
    match fitting.next_back() {
        Some(cut) => format!("{cut}, …"),
        None => about.to_string(),
    }
}
