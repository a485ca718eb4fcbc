//! Texts that are in the data more than once. One that is trained on and tested makes the test too easy.

use std::collections::HashMap;

use serde::Serialize;

use super::Row;

/// How many places of a kind are named.
const EXAMPLES: usize = 5;

/// The rows of one split: all or some of a table.
#[derive(Debug, Clone, Copy)]
pub struct SplitRows<'a> {
    /// `train`, `valid`, `test` …
    pub name: &'a str,
    /// The table's rows
    pub rows: &'a [Row],
    /// Which of them are in the split; a row that is picked again counts once
    pub picked: &'a [u32],
}

/// Equal texts in one split, and what it shares with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DuplicateTexts {
    /// The split
    pub split: String,
    /// Its rows, each counted once
    pub rows: usize,
    /// Rows whose text is in an earlier row of the split
    pub within: usize,
    /// Rows whose text is in the split with another label too: at most one label is right
    pub conflicting: usize,
    /// Up to five pairs of lines of the split with the same text
    pub examples: Vec<(u64, u64)>,
    /// For each other split that shares a text with it, in the order they were given
    pub shared: Vec<SharedTexts>,
}

/// Rows whose text is in another split too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedTexts {
    /// The other split
    pub with: String,
    /// How many rows of this split
    pub rows: usize,
    /// Up to five pairs of lines: here and there
    pub examples: Vec<(u64, u64)>,
}

/// Counts equal texts, byte for byte, within each split and between any two.
pub fn duplicate_texts(splits: &[SplitRows<'_>]) -> Vec<DuplicateTexts> {
    let rows: Vec<Vec<&Row>> = splits.iter().map(rows_of).collect();
    let first: Vec<HashMap<&str, &Row>> = rows.iter().map(|rows| first_of_each(rows)).collect();
    let about = splits.iter().enumerate().map(|(here, split)| {
        let others = (0..splits.len()).filter(|there| *there != here);
        let shared = others.filter_map(|there| {
            let pairs =
                rows[here].iter().filter_map(|row| Some((*row, *first[there].get(row.text.as_str())?)));
            let (rows, examples) = counted(pairs);
            (rows > 0).then(|| SharedTexts { with: splits[there].name.to_owned(), rows, examples })
        });
        let again = rows[here].iter().filter_map(|row| {
            let earliest = first[here].get(row.text.as_str())?;
            (earliest.line != row.line).then_some((*earliest, *row))
        });
        let (within, examples) = counted(again);
        DuplicateTexts {
            split: split.name.to_owned(),
            rows: rows[here].len(),
            within,
            conflicting: conflicting(&rows[here]),
            examples,
            shared: shared.collect(),
        }
    });
    about.collect()
}

/// The picked rows, each once, in the order of the file.
fn rows_of<'a>(split: &SplitRows<'a>) -> Vec<&'a Row> {
    let mut picked = split.picked.to_vec();
    picked.sort_unstable();
    picked.dedup();
    picked.into_iter().filter_map(|at| split.rows.get(at as usize)).collect()
}

fn first_of_each<'a>(rows: &[&'a Row]) -> HashMap<&'a str, &'a Row> {
    let mut first = HashMap::with_capacity(rows.len());
    for row in rows {
        first.entry(row.text.as_str()).or_insert(*row);
    }
    first
}

fn counted<'a>(pairs: impl Iterator<Item = (&'a Row, &'a Row)>) -> (usize, Vec<(u64, u64)>) {
    let (mut count, mut examples) = (0, Vec::new());
    for (here, there) in pairs {
        count += 1;
        if examples.len() < EXAMPLES {
            examples.push((here.line, there.line));
        }
    }
    (count, examples)
}

fn conflicting(rows: &[&Row]) -> usize {
    let mut labels = HashMap::<&str, (usize, u32, bool)>::new();
    for row in rows {
        let seen = labels.entry(&row.text).or_insert((0, row.label, false));
        seen.0 += 1;
        seen.2 |= seen.1 != row.label;
    }
    labels.values().filter(|seen| seen.2).map(|seen| seen.0).sum()
}
