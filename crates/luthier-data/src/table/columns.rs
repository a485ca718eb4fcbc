//! Which fields of a line are the text and the label.

use std::path::Path;

use luthier_recipe::did_you_mean;

use super::{Column, TableError, TableOptions, error::plural, labels::listed};

/// Positions of the two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Positions {
    pub(super) text: usize,
    pub(super) label: usize,
}

/// Does the first line name the columns?
pub(super) fn has_names(path: &Path, options: &TableOptions) -> Result<bool, TableError> {
    let named = [&options.text, &options.label].into_iter().find_map(|column| match column {
        Column::Name(name) => Some(name),
        Column::Index(_) => None,
    });
    match (options.header, named) {
        (Some(false), Some(name)) => {
            Err(TableError::NamesWithoutHeader { path: path.to_owned(), name: name.clone() })
        }
        (Some(said), _) => Ok(said),
        (None, named) => Ok(named.is_some()),
    }
}

/// Finds the columns among the fields of the first line, which are their names if `named`.
pub(super) fn positions(
    path: &Path,
    fields: &[String],
    named: bool,
    options: &TableOptions,
) -> Result<Positions, TableError> {
    let find = |column: &Column, what| match column {
        Column::Index(index) if *index < fields.len() => Ok(*index),
        Column::Index(index) => Err(TableError::NoIndex {
            path: path.to_owned(),
            index: *index,
            what,
            columns: fields.len(),
            help: index_help(fields, named),
        }),
        Column::Name(name) => {
            fields.iter().position(|field| field == name).ok_or_else(|| no_column(path, name, what, fields))
        }
    };
    let found = Positions { text: find(&options.text, "text")?, label: find(&options.label, "label")? };
    if found.text == found.label {
        let column = if named { format!("`{}`", fields[found.text]) } else { found.text.to_string() };
        return Err(TableError::SameColumn { path: path.to_owned(), column });
    }
    Ok(found)
}

/// The error for a name that is not among the columns.
pub(super) fn no_column(path: &Path, name: &str, what: &'static str, has: &[String]) -> TableError {
    let meant = did_you_mean(name, has.iter().map(String::as_str));
    let meant = meant.map(|column| format!("did you mean `{column}`? ")).unwrap_or_default();
    let help =
        if has.is_empty() { "it has none".to_owned() } else { format!("{meant}it has {}", listed(has)) };
    TableError::NoColumn { path: path.to_owned(), name: name.to_owned(), what, help }
}

fn index_help(fields: &[String], named: bool) -> String {
    match fields.len() {
        1 => "the first column is 0; with one column only, check that the format is the right one".to_owned(),
        n if named => format!("the first is 0; the {n} column{} are {}", plural(n), listed(fields)),
        n => format!("the first is 0 and the last is {}", n - 1),
    }
}
