//! Labels become classes: sorted, numbered, and doubted where they look like something else.

use std::{cmp::Ordering, collections::HashSet, path::Path};

use luthier_recipe::did_you_mean;

use super::{Column, Table, TableError, TableFormat, TableOptions};

/// Fewer rows than this are too few to judge labels by.
const FEW: usize = 10;
/// How many class names a message lists.
const LISTED: usize = 20;

/// Sorts the classes and numbers the rows anew: as numbers where all are, else as Python sorts strings.
pub(super) fn sort(table: &mut Table) {
    let order = order(&table.classes);
    let mut new = vec![0; order.len()];
    for (to, from) in order.iter().enumerate() {
        new[*from] = to as u32;
    }
    table.classes = order.iter().map(|from| std::mem::take(&mut table.classes[*from])).collect();
    renumber(table, &new);
}

/// Indices of words in order: as numbers where all are, else as Python sorts strings.
pub(super) fn order(words: &[String]) -> Vec<usize> {
    let numbers: Option<Vec<f64>> =
        words.iter().map(|word| word.parse().ok().filter(|n: &f64| n.is_finite())).collect();
    let mut order: Vec<usize> = (0..words.len()).collect();
    order.sort_by(|a, b| {
        let by_number = numbers.as_ref().map_or(Ordering::Equal, |n| n[*a].total_cmp(&n[*b]));
        by_number.then_with(|| words[*a].cmp(&words[*b]))
    });
    order
}

/// Takes a first line that seems to name the columns out of the rows, where nobody said what it is.
pub(super) fn first_line_may_be_names(table: &mut Table, options: &TableOptions) {
    let lines = matches!(options.format, TableFormat::Tsv | TableFormat::Csv);
    let numbered = matches!((&options.text, &options.label), (Column::Index(_), Column::Index(_)));
    if !lines || !numbered || options.header.is_some() || table.rows.len() < FEW {
        return;
    }
    let first = &table.rows[0];
    let counts = table.class_counts();
    let alone = |class: usize| counts[class] == 1;
    // a skipped row may have come before
    let is_first = table.skipped.iter().all(|skipped| skipped.line > first.line);
    let others_repeat = (0..counts.len()).all(|class| class == first.label as usize || !alone(class));
    if !(is_first && counts.len() > 2 && alone(first.label as usize) && others_repeat) {
        return;
    }
    let gone = table.rows.remove(0).label;
    let name = table.classes.remove(gone as usize);
    table.notes.push(format!(
        "the first line was taken for names of columns: no other row has the label `{name}` (`header = false` keeps it)"
    ));
    let new: Vec<u32> = (0..counts.len() as u32).map(|old| old - u32::from(old > gone)).collect();
    renumber(table, &new);
}

/// Refuses labels that are no classes.
pub(super) fn check(table: &Table, path: &Path, options: &TableOptions) -> Result<(), TableError> {
    let path = path.to_owned();
    if let [class] = table.classes.as_slice() {
        return Err(TableError::OneClass { path, class: class.clone() });
    }
    let (classes, rows) = (table.classes.len(), table.rows.len());
    if rows < FEW || classes * 2 <= rows {
        return Ok(());
    }
    let first = &table.rows[0];
    let texts: HashSet<&str> = table.rows.iter().map(|row| row.text.as_str()).collect();
    let help = if texts.len() * 4 <= classes {
        format!(
            "the columns may be swapped: the text column has only {} different values; try `text = {}` and `label = {}`",
            texts.len(),
            written(&options.label),
            written(&options.text)
        )
    } else {
        "point the label column to the one that holds the class of each row".to_owned()
    };
    let example = short(&table.classes[first.label as usize]);
    Err(TableError::FreeText { path, classes, rows, line: first.line, example, help })
}

/// Numbers the rows by the classes of training.
pub(super) fn number_as(table: &mut Table, path: &Path, classes: &[String]) -> Result<(), TableError> {
    let place = |name: &String| classes.iter().position(|class| class == name);
    let new: Vec<Option<usize>> = table.classes.iter().map(place).collect();
    if let Some(row) = table.rows.iter().find(|row| new[row.label as usize].is_none()) {
        let label = &table.classes[row.label as usize];
        let meant = did_you_mean(label, classes.iter().map(String::as_str));
        let meant = meant.map(|class| format!("did you mean `{class}`? ")).unwrap_or_default();
        return Err(TableError::UnknownLabel {
            path: path.to_owned(),
            line: row.line,
            label: short(label),
            help: format!("{meant}the training classes are {}", listed(classes)),
        });
    }
    let absent: Vec<String> = classes.iter().filter(|c| !table.classes.contains(c)).cloned().collect();
    if !absent.is_empty() {
        table.notes.push(format!("`{}` has no row of {}", path.display(), listed(&absent)));
    }
    let new: Vec<u32> = new.into_iter().map(|place| place.unwrap_or_default() as u32).collect();
    table.classes = classes.to_vec();
    renumber(table, &new);
    Ok(())
}

fn renumber(table: &mut Table, new: &[u32]) {
    for row in &mut table.rows {
        row.label = new[row.label as usize];
    }
}

fn written(column: &Column) -> String {
    match column {
        Column::Index(index) => index.to_string(),
        Column::Name(name) => format!("\"{name}\""),
    }
}

fn short(label: &str) -> String {
    let mut cut: String = label.chars().take(40).collect();
    if cut.len() < label.len() {
        cut.push('…');
    }
    cut
}

/// "`a`, `b`", and how many more where they are many.
pub(super) fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{}`", short(name))).collect();
    let more = names.len().saturating_sub(LISTED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    shown.join(", ") + &more
}
