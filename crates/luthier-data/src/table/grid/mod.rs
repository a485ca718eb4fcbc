//! A table of numbers and words: some of its columns, each of one kind.

mod rows;
mod sources;

use std::path::Path;

use luthier_recipe::OnError;

use super::{Column, TableError, TableFormat};

/// How a table of numbers and words is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridOptions {
    /// How it is written
    pub format: TableFormat,
    /// Does the first line of a TSV or CSV file name the columns? If not said: yes where a column is named, and where
    /// the line holds no number
    pub header: Option<bool>,
    /// What is learned; none for rows that are to be predicted
    pub targets: Vec<Column>,
    /// What the targets hold
    pub target_kind: Kind,
    /// What it is learned from
    pub features: Features,
    /// What to do with a row that can't be used. [`OnError::Keep`] lets cells of numbers in that are empty or not finite
    pub on_error: OnError,
}

/// Which columns are features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Features {
    /// All that are no target
    Others,
    /// These, in this order, of the kind that is given or that most of their cells are
    These(Vec<(Column, Option<Kind>)>),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers
    Numbers,
    /// Words: anything else
    Words,
}

/// Rows of a table that can be used, column by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// The line on which each row begins, or its number in a Parquet file; the first is 1
    pub lines: Vec<u64>,
    /// The features, in order
    pub features: Vec<GridColumn>,
    /// The targets, in order
    pub targets: Vec<GridColumn>,
    /// The first line names the columns
    pub header: bool,
    /// Rows left out: line and reason, which follows its place in a sentence
    pub skipped: Vec<(u64, String)>,
    /// XXH3 of the file's bytes
    pub hash: u128,
}

/// One column, a cell for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct GridColumn {
    /// Its name, or its number where the file has no names
    pub name: String,
    /// What it holds
    pub cells: Cells,
}

/// The cells of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Numbers; one that is missing is NaN
    Numbers(Vec<f64>),
    /// Words, as indices into the sorted different ones
    Words {
        /// The different words: as numbers where all are, else as Python sorts strings
        words: Vec<String>,
        /// Which each row has
        codes: Vec<u32>,
    },
}

/// Reads the columns of a table.
///
/// A column is one of numbers or of words, whichever most of its cells are. Empty cells, and `NA`, `N/A`, `nan`, `null`
/// and `?` in any case, are missing.
///
/// # Errors
/// A file that can't be read or is empty; columns that it doesn't have; with [`OnError::Fail`], the first cell that is
/// missing, not finite or of the other kind, and the first row with too few or too many fields; no usable row.
pub fn read_grid(path: &Path, options: &GridOptions) -> Result<Grid, TableError> {
    let mut rows = rows::Rows::new(path, options);
    let hash = match options.format {
        TableFormat::Tsv => sources::tsv(path, &mut rows),
        TableFormat::Csv => sources::csv(path, &mut rows),
        TableFormat::Jsonl => sources::jsonl(path, &mut rows),
        TableFormat::Parquet => super::parquet::read_columns(path, &mut rows),
    }?;
    rows.finish(hash)
}

pub(super) use rows::Rows;
