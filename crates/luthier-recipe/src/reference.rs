//! The reference page of the book, read off the types.

use std::fmt::Write;

use crate::dom::join;
use crate::explain::limits;
use crate::literal::literal;
use crate::shape::{Field, Shape, Tagged, root_fields};
use crate::words::wanted;

const INTRODUCTION: &str = "# Recipe reference

<!-- Written by `reference_markdown()` from the types in crates/luthier-recipe/src/types. \
`UPDATE_DOCS=1 cargo test -p luthier-recipe` rewrites it. -->

A recipe is a TOML file. Every key is here, with its type and default; a key that is not here is an error.
Paths are relative to the recipe. Every key can be overridden on the command line: `--set optim.lr=3e-4`,
`--set optim.groups[0].lr_scale=5`.

- `luthier explain KEY` prints the entry of one key.
- `luthier render recipe.toml` writes a recipe out with every default.
- `luthier schema > recipe.schema.json` is the same for editors: with `#:schema recipe.schema.json` as its first line,
  Even Better TOML and taplo complete and check a recipe.
";

/// The reference page in Markdown.
pub fn reference_markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    let (tables, lines): (Vec<&Field>, Vec<&Field>) =
        root_fields().iter().partition(|field| matches!(field.shape, Shape::Table(_) | Shape::Tagged(_)));
    out.push_str("\n## Top of the file\n\n");
    rows(lines.iter().copied(), &mut out);
    let lists: Vec<Field> = lines.into_iter().cloned().collect();
    details("", &lists, &mut out);
    for field in tables {
        section("", field, &mut out);
    }
    out
}

fn section(path: &str, field: &Field, out: &mut String) {
    let path = join(path, &field.name);
    let _ = writeln!(out, "\n## `[{path}]`\n\n{}{}\n", field.about, when_absent(field));
    body(&path, &field.shape, out);
}

/// What holds when a whole table is left out.
fn when_absent(field: &Field) -> String {
    match &field.default {
        Some(default) => format!(". Without this table: `{}`", literal(default)),
        None if field.required || field.about.contains("not given") => String::new(),
        None => ". Off when not given".to_string(),
    }
}

fn body(path: &str, shape: &Shape, out: &mut String) {
    match shape {
        Shape::Table(fields) | Shape::OneKey(fields) => {
            rows(fields.iter(), out);
            details(path, fields, out);
        }
        Shape::Tagged(tagged) => tagged_body(path, tagged, out),
        _ => {}
    }
}

/// Sections of the tables below a table. Variants that two lists share are told once.
fn details(path: &str, fields: &[Field], out: &mut String) {
    let mut told_list = false;
    for field in fields {
        match &field.shape {
            Shape::Table(_) => section(path, field, out),
            Shape::List { item, .. } | Shape::Named(item) => match &**item {
                Shape::Tagged(tagged) if !told_list => {
                    told_list = true;
                    let _ = writeln!(out, "\n### Entries of the lists in `[{path}]`\n");
                    tagged_body(path, tagged, out);
                }
                Shape::Table(entries) => {
                    let _ =
                        writeln!(out, "\n### Entries of `{}`\n\n{}\n", join(path, &field.name), field.about);
                    rows(entries.iter(), out);
                }
                _ => {}
            },
            _ => {}
        }
    }
}

fn tagged_body(path: &str, tagged: &Tagged, out: &mut String) {
    let names: Vec<String> = tagged.variants.iter().map(|variant| format!("`{}`", variant.name)).collect();
    let _ = writeln!(out, "`{}` is one of {}; each has keys of its own.", tagged.tag, names.join(", "));
    if !tagged.common.is_empty() {
        out.push_str("\nKeys besides those:\n\n");
        rows(tagged.common.iter(), out);
    }
    for variant in &tagged.variants {
        let _ = writeln!(out, "\n### `{} = \"{}\"`\n\n{}", tagged.tag, variant.name, variant.about);
        if !variant.fields.is_empty() {
            out.push('\n');
            rows(variant.fields.iter(), out);
        }
    }
    details(path, &tagged.common, out);
}

fn rows<'a>(fields: impl Iterator<Item = &'a Field>, out: &mut String) {
    out.push_str("| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
    for field in fields {
        let default = match &field.default {
            Some(default) => format!("`{}`", literal(default)),
            None if field.required => "required".to_string(),
            None => "–".to_string(),
        };
        let kind =
            [Some(wanted(&field.shape)), limits(&field.shape)].into_iter().flatten().collect::<Vec<_>>();
        let row = [format!("`{}`", field.name), kind.join(", "), default, meaning(field)];
        let _ = writeln!(out, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
}

/// What a key is for, and what each of its words means.
fn meaning(field: &Field) -> String {
    let mut text = field.about.clone();
    let choices = match &field.shape {
        Shape::Choice(choices) => choices.as_slice(),
        _ => &[],
    };
    for choice in choices {
        let _ = write!(text, "<br>`{}`: {}", choice.name, choice.about);
    }
    text
}
