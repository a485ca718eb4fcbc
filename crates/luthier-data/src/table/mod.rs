//! Tables: TSV, CSV, JSON lines or Parquet. Labelled texts are two columns of one, numbers and words any.

mod collect;
mod columns;
mod csv;
mod delimited;
mod duplicates;
mod error;
mod grid;
mod jsonl;
mod labels;
mod parquet;
mod source;
mod tsv;

use std::path::Path;

use luthier_recipe::OnError;
use serde::{Deserialize, Serialize};

pub use duplicates::{DuplicateTexts, SharedTexts, SplitRows, duplicate_texts};
pub use error::{RowFault, TableError};
pub use grid::{Cells, Features, Grid, GridColumn, GridOptions, Kind, read_grid};

pub(crate) use csv::records as csv_records;

use collect::Collector;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableFormat {
    /// Fields between tabs, one row a line, nothing quoted: a quotation mark is a quotation mark
    Tsv,
    /// Fields between commas, quoted as RFC 4180 says
    Csv,
    /// A JSON object a line
    Jsonl,
    /// Apache Parquet
    Parquet,
}

impl TableFormat {
    /// The format that a file's name ends in, if it tells.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "tsv" | "tab" => Some(Self::Tsv),
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Which column holds something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// The column of this position; the first is 0
    Index(usize),
    /// The column of this name
    Name(String),
}

/// How a table is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// How it is written
    pub format: TableFormat,
    /// Where the text is
    pub text: Column,
    /// Where the label is
    pub label: Column,
    /// Does the first line of a TSV or CSV file name the columns? If not said: yes where a column is named; and
    /// where both are numbered, the first line counts as names if its label occurs nowhere else and every other
    /// label does (a table of fewer than ten rows is never judged so)
    pub header: Option<bool>,
    /// What to do with a row that can't be used
    pub on_error: OnError,
}

/// A text and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line on which the row begins, or the number of the row in a Parquet file; the first is 1
    pub line: u64,
    /// The text as it is in the file
    pub text: String,
    /// Index of its class
    pub label: u32,
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its line, as in [`Row::line`]
    pub line: u64,
    /// Why
    pub why: RowFault,
}

/// What was met while reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows left out: text of nothing but white space
    pub empty: usize,
    /// Rows left out: no label
    pub no_label: usize,
    /// Rows left out: fewer fields than the columns need, or a key that an object doesn't have
    pub missing_field: usize,
    /// Rows left out: text or label is not UTF-8
    pub not_utf8: usize,
    /// Rows left out: not JSON, or a value of the wrong kind
    pub malformed: usize,
    /// Rows kept whose text has control characters other than tab and line ends
    pub control_chars: usize,
    /// Rows kept that have more fields than the first line
    pub extra_fields: usize,
}

/// The rows of a table that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Rows in the order of the file
    pub rows: Vec<Row>,
    /// Class names; numbers in their order, everything else as Python sorts strings
    pub classes: Vec<String>,
    /// Rows left out
    pub skipped: Vec<Skipped>,
    /// What was met
    pub counts: Counts,
    /// XXH3 of the file's bytes
    pub hash: u128,
    /// What a person should know about the file, one sentence each
    pub notes: Vec<String>,
}

impl Table {
    /// The labels in row order; what [`stratified_parts`](crate::stratified_parts) and [`undersample`](crate::undersample) want.
    pub fn labels(&self) -> Vec<u32> {
        self.rows.iter().map(|row| row.label).collect()
    }

    /// Rows per class, in class order.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for row in &self.rows {
            if let Some(count) = counts.get_mut(row.label as usize) {
                *count += 1;
            }
        }
        counts
    }
}

/// Reads the rows that training uses; their labels make the classes.
///
/// Rows with empty text are left out and counted whatever `on_error` says: a row of nothing is no damage.
///
/// # Errors
/// A file that can't be read or is empty; columns that it doesn't have; with [`OnError::Fail`], the first row that
/// can't be used; no usable row; one class only, or about as many classes as rows.
pub fn read_table(path: &Path, options: &TableOptions) -> Result<Table, TableError> {
    let mut table = read(path, options, Collector::new(path, options.on_error))?;
    labels::first_line_may_be_names(&mut table, options);
    labels::check(&table, path, options)?;
    Ok(table)
}

/// Reads rows for validation or test, whose labels must be among the classes of training.
///
/// # Errors
/// As [`read_table`], except that one class is enough; and a label that is not among `classes`.
pub fn read_table_like(path: &Path, classes: &[String], options: &TableOptions) -> Result<Table, TableError> {
    let mut table = read(path, options, Collector::new(path, options.on_error))?;
    labels::first_line_may_be_names(&mut table, options);
    labels::number_as(&mut table, path, classes)?;
    Ok(table)
}

fn read(path: &Path, options: &TableOptions, mut rows: Collector<'_>) -> Result<Table, TableError> {
    let hash = match options.format {
        TableFormat::Tsv => tsv::read(path, options, &mut rows),
        TableFormat::Csv => csv::read(path, options, &mut rows),
        TableFormat::Jsonl => jsonl::read(path, options, &mut rows),
        TableFormat::Parquet => parquet::read(path, options, &mut rows),
    }?;
    rows.finish(hash)
}
