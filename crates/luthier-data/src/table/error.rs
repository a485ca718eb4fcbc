use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Why a row can't be used. Follows its place in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowFault {
    /// The row is too short
    #[error("has {fields} field{}, so there is no {what} in column {column} (the first is 0)", plural(*.fields))]
    MissingField {
        /// How many fields it has
        fields: usize,
        /// `text` or `label`
        what: &'static str,
        /// The position looked for
        column: usize,
    },
    /// The object has no such key
    #[error("has no `{key}`{}", has_note(.has))]
    MissingKey {
        /// The key
        key: String,
        /// The keys it has
        has: String,
    },
    /// The row is longer than the first line
    #[error("has {fields} fields, and the first line has {first}")]
    ExtraFields {
        /// How many fields it has
        fields: usize,
        /// How many the first line has
        first: usize,
    },
    /// The bytes are no UTF-8
    #[error("is not UTF-8: byte {byte} of the {what} belongs to no character")]
    NotUtf8 {
        /// `text` or `label`
        what: &'static str,
        /// The first wrong byte; the first of the field is 1
        byte: usize,
    },
    /// The text has nothing but white space
    #[error("has an empty text")]
    EmptyText,
    /// The label has nothing but white space, or is null
    #[error("has no label")]
    EmptyLabel,
    /// The line can't be parsed
    #[error("is not a JSON object: {reason}")]
    NotJson {
        /// What the parser says
        reason: String,
    },
    /// The record can't be parsed
    #[error("is not CSV: {reason}")]
    NotCsv {
        /// What the parser says
        reason: String,
    },
    /// The value is of another kind
    #[error("has {found} as `{key}`, and {wanted} is expected")]
    Kind {
        /// The key
        key: String,
        /// What it holds
        found: &'static str,
        /// What is wanted
        wanted: &'static str,
    },
}

/// Why a table can't be used.
#[derive(Debug, Error, Diagnostic)]
pub enum TableError {
    /// There is nothing at the path
    #[error("the table `{}` does not exist", .path.display())]
    #[diagnostic(help("check the path; one in a recipe is relative to the recipe's folder"))]
    Missing {
        /// The path
        path: PathBuf,
    },
    /// The path is a folder
    #[error("`{}` is a folder, and a table is one file", .path.display())]
    #[diagnostic(help("name the file in it"))]
    Folder {
        /// The path
        path: PathBuf,
    },
    /// The file can't be read
    #[error("can't read the table `{}`: {reason}", .path.display())]
    Read {
        /// The file
        path: PathBuf,
        /// What the system or the decoder says
        reason: String,
    },
    /// The file has no bytes, or nothing but blank lines, or names of columns alone
    #[error("the table `{}` has no rows", .path.display())]
    Empty {
        /// The file
        path: PathBuf,
    },
    /// The file is in two bytes a character
    #[error("`{}` is written in UTF-16, and only UTF-8 is read", .path.display())]
    #[diagnostic(help("convert it: `iconv -f UTF-16 -t UTF-8 FILE > NEW`"))]
    Utf16 {
        /// The file
        path: PathBuf,
    },
    /// The file is written another way
    #[error("`{}` is not {wanted}: {reason}", .path.display())]
    #[diagnostic(help("{help}"))]
    Format {
        /// The file
        path: PathBuf,
        /// The name of the format
        wanted: &'static str,
        /// What is wrong
        reason: String,
        /// What to do
        help: String,
    },
    /// A named column that the file doesn't have
    #[error("`{}` has no column `{name}` for the {what}", .path.display())]
    #[diagnostic(help("{help}"))]
    NoColumn {
        /// The file
        path: PathBuf,
        /// The name
        name: String,
        /// `text` or `label`
        what: &'static str,
        /// The columns it has, and which was probably meant
        help: String,
    },
    /// A numbered column that the file doesn't have
    #[error("`{}` has {columns} column{}, so there is no column {index} for the {what}", .path.display(), plural(*.columns))]
    #[diagnostic(help("{help}"))]
    NoIndex {
        /// The file
        path: PathBuf,
        /// The position
        index: usize,
        /// `text` or `label`
        what: &'static str,
        /// How many columns the first line has
        columns: usize,
        /// What to do
        help: String,
    },
    /// Text and label in one column
    #[error("the text and the label of `{}` are both in column {column}", .path.display())]
    #[diagnostic(help("name one column each"))]
    SameColumn {
        /// The file
        path: PathBuf,
        /// The column
        column: String,
    },
    /// Columns are named, and the first line is said to name none
    #[error("`{name}` names a column of `{}`, but `header = false` says that no line names the columns", .path.display())]
    #[diagnostic(help("number the columns (the first is 0), or leave `header` out"))]
    NamesWithoutHeader {
        /// The file
        path: PathBuf,
        /// The column
        name: String,
    },
    /// JSON objects have no order
    #[error("column {index} of `{}` has no meaning: the keys of a JSON object have no order", .path.display())]
    #[diagnostic(help("name the key"))]
    IndexInObject {
        /// The file
        path: PathBuf,
        /// The position
        index: usize,
    },
    /// A Parquet column of a kind that is neither text nor label
    #[error("the column `{name}` of `{}` holds {found}, and the {what} must be {wanted}", .path.display())]
    #[diagnostic(help("name another column, or write this one as text"))]
    ColumnKind {
        /// The file
        path: PathBuf,
        /// The column
        name: String,
        /// Its type
        found: String,
        /// `text` or `label`
        what: &'static str,
        /// What it may be
        wanted: &'static str,
    },
    /// A row that can't be used
    #[error("`{}:{line}` {fault}", .path.display())]
    #[diagnostic(help("{}", row_help(.fault)))]
    Row {
        /// The file
        path: PathBuf,
        /// Its line, or the number of the row
        line: u64,
        /// What is wrong
        fault: RowFault,
    },
    /// A cell that can't be used
    #[error("`{}:{line}`: the cell in the column `{column}` {what}", .path.display())]
    #[diagnostic(help("{help}"))]
    Cell {
        /// The file
        path: PathBuf,
        /// Its line, or the number of the row
        line: u64,
        /// The column's name, or its number where the file has no names
        column: String,
        /// What is wrong
        what: String,
        /// What to do
        help: String,
    },
    /// Every row of numbers and words is unusable
    #[error("no row of `{}` can be used; the first: line {line} {why}", .path.display())]
    #[diagnostic(help("check the format and the columns: {rows} rows were read and left out"))]
    NoUsable {
        /// The file
        path: PathBuf,
        /// The first
        line: u64,
        /// What is wrong with it
        why: String,
        /// How many there are
        rows: usize,
    },
    /// Every row is unusable
    #[error("no row of `{}` can be used; the first: line {line} {fault}", .path.display())]
    #[diagnostic(help("check the format and the columns: {rows} rows were read and left out"))]
    NoRow {
        /// The file
        path: PathBuf,
        /// The first
        line: u64,
        /// What is wrong with it
        fault: RowFault,
        /// How many there are
        rows: usize,
    },
    /// One class
    #[error("every row of `{}` has the label `{class}`: there is nothing to tell apart", .path.display())]
    #[diagnostic(help("check the label column, or add rows of another class"))]
    OneClass {
        /// The file
        path: PathBuf,
        /// Its only class
        class: String,
    },
    /// The labels are no classes
    #[error("{classes} of the {rows} labels in `{}` are different: they are no classes (line {line}: `{example}`)", .path.display())]
    #[diagnostic(help("{help}"))]
    FreeText {
        /// The file
        path: PathBuf,
        /// How many different labels there are
        classes: usize,
        /// How many rows
        rows: usize,
        /// Where one of them is
        line: u64,
        /// The label there, cut short
        example: String,
        /// What to do
        help: String,
    },
    /// A label that training doesn't have
    #[error("`{}:{line}` has the label `{label}`, which the training data doesn't have", .path.display())]
    #[diagnostic(help("{help}"))]
    UnknownLabel {
        /// The file
        path: PathBuf,
        /// Its line, or the number of the row
        line: u64,
        /// The label
        label: String,
        /// The classes of training, and which was probably meant
        help: String,
    },
}

pub(super) fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn has_note(has: &str) -> String {
    if has.is_empty() { String::new() } else { format!(" (it has {has})") }
}

fn row_help(fault: &RowFault) -> &'static str {
    match fault {
        RowFault::NotUtf8 { .. } => {
            "convert the file (`iconv -f LATIN1 -t UTF-8 FILE > NEW` if it is Latin-1), or leave such rows out with `data.on_error = \"skip\"`"
        }
        _ => "mend the row, or leave such rows out with `data.on_error = \"skip\"`",
    }
}
