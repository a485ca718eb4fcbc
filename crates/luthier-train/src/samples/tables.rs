//! Tables of texts as splits.

use std::path::Path;

use luthier_data::{Counts, SplitRows, Table, duplicate_texts, read_table, read_table_like};
use luthier_plan::{DataPlan, PlanError, Skipped, SplitPlan};
use luthier_recipe::Data;

use super::{balanced_note, divided};
use crate::TrainError;
use crate::texts::{hex, table_options};

/// How many left-out rows a plan names; they are counted all.
const MOST_SKIPPED: usize = 100;

/// Repeated texts across splits are worth a warning from this share of the smaller split on.
const LEAK: f64 = 0.01;

/// A split that is not trained on.
struct HeldOut {
    name: &'static str,
    /// Its own table and what the recipe calls it; `None` for a part of the training table
    own: Option<(String, Table)>,
    part: Vec<u32>,
}

pub(super) fn splits(data: &Data, seed: u64, base: &Path) -> Result<(DataPlan, Vec<String>), TrainError> {
    let options = table_options(data)?;
    let table = read_table(&base.join(data.source()), &options)?;
    let root = data.source().to_string_lossy().into_owned();
    let mut notes = notes_of(&root, &table);
    let parts = divided(data, &table.labels(), seed)?;
    notes.extend(balanced_note(data, table.rows.len(), &parts));
    if parts.train.is_empty() {
        return Err(PlanError::at(data.source_key(), format!("`{root}` leaves no row to train on")).into());
    }
    let mut splits = vec![split_plan("train", &root, &table, &parts.train, true)];
    let mut rows = vec![SplitRows { name: "train", rows: &table.rows, picked: &parts.train }];
    let mut others = Vec::new();
    for (name, file, part) in [("valid", &data.valid, parts.valid), ("test", &data.test, parts.test)] {
        others.push(match file {
            None => HeldOut { name, own: None, part },
            Some(file) => {
                let table = read_table_like(&base.join(file), &table.classes, &options)?;
                let part = (0..table.rows.len() as u32).collect();
                HeldOut { name, own: Some((file.to_string_lossy().into_owned(), table)), part }
            }
        });
    }
    for HeldOut { name, own, part } in &others {
        let (root, from) = own.as_ref().map_or((&root, &table), |(root, table)| (root, table));
        if own.is_some() {
            notes.extend(notes_of(root, from));
        }
        if !part.is_empty() {
            splits.push(split_plan(name, root, from, part, own.is_some()));
            rows.push(SplitRows { name, rows: &from.rows, picked: part });
        }
    }
    notes.extend(leaks(&rows));
    Ok((DataPlan::new(table.classes.clone(), splits), notes))
}

/// What reading a table met, in words.
fn notes_of(root: &str, table: &Table) -> Vec<String> {
    let mut notes = table.notes.clone();
    if let Some(first) = table.skipped.first() {
        let Counts { empty, no_label, missing_field, not_utf8, malformed, .. } = table.counts;
        let kinds = [
            (empty, "of empty text"),
            (no_label, "without a label"),
            (missing_field, "with a missing field"),
            (not_utf8, "not UTF-8"),
            (malformed, "malformed"),
        ];
        let kinds: Vec<String> = kinds
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let (rows, kinds, line) = (table.skipped.len(), kinds.join(", "), first.line);
        notes.push(match rows {
            1 => format!("1 row of `{root}` is left out ({kinds}): `{root}:{line}`"),
            _ => format!("{rows} rows of `{root}` are left out ({kinds}), the first is `{root}:{line}`"),
        });
    }
    match table.counts.control_chars {
        0 => {}
        1 => notes.push(format!("1 text of `{root}` has control characters, which stay in it")),
        some => notes.push(format!("{some} texts of `{root}` have control characters, which stay in them")),
    }
    notes
}

/// Texts of the held-out splits that are trained on, too, and texts with two labels.
fn leaks(splits: &[SplitRows<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    for found in duplicate_texts(splits) {
        if found.conflicting > 0 {
            notes.push(format!(
                "{} {} texts are there with another label, too: at most one is right",
                found.conflicting, found.split
            ));
        }
        let Some(shared) = found.shared.iter().find(|shared| shared.with == "train") else { continue };
        let share = shared.rows as f64 / found.rows.max(1) as f64;
        if share >= LEAK {
            let lines = shared
                .examples
                .first()
                .map_or(String::new(), |(here, there)| format!(" (line {here} is line {there})"));
            notes.push(format!(
                "{} of {} {} texts ({:.1} %) are in the training split, too, word for word{lines}: the {} accuracy \
                 flatters",
                shared.rows,
                found.rows,
                found.split,
                share * 100.0,
                found.split
            ));
        }
    }
    notes
}

fn split_plan(name: &str, root: &str, table: &Table, part: &[u32], skipped: bool) -> SplitPlan {
    let row = |at: &u32| {
        let row = table.rows.get(*at as usize)?;
        Some((row.line.to_string(), row.label))
    };
    let skip = |row: &luthier_data::Skipped| Skipped { path: row.line.to_string(), why: row.why.to_string() };
    let skipped =
        if skipped { table.skipped.iter().take(MOST_SKIPPED).map(skip).collect() } else { Vec::new() };
    SplitPlan {
        name: name.into(),
        root: root.into(),
        hash: Some(hex(table.hash)),
        samples: part.iter().filter_map(row).collect(),
        skipped,
    }
}
