//! Further labels of pictures: a table with a row per picture and a column per attribute.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::table::{TableError, csv_records};

/// The column that says which picture a row is about.
const FILE: &str = "file";

/// Beside `attributes.csv` of rendered scenes: what each number stands for.
const NAMES: &str = "attributes.json";

/// Class numbers below this may have gaps, however few rows there are; beyond it a number is no class but something else.
const MOST: usize = 1000;

/// A table of attributes, all of it in memory.
#[derive(Debug, Clone)]
pub struct Attributes {
    path: PathBuf,
    columns: Vec<String>,
    /// By picture, as a path from the table's folder: the line of its row and the cells
    rows: HashMap<String, (u64, Vec<String>)>,
    names: HashMap<String, Vec<String>>,
}

/// One column, its classes known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its classes in label order
    pub classes: Vec<String>,
    column: usize,
    words: bool,
}

/// Why attributes can't be used.
#[derive(Debug, Error, Diagnostic)]
pub enum AttributesError {
    /// The table can't be read
    #[error(transparent)]
    #[diagnostic(transparent)]
    Table(#[from] TableError),
    /// A line is no row
    #[error("`{}`, line {line}: {why}", .path.display())]
    Row {
        /// The table
        path: PathBuf,
        /// The line, from 1
        line: u64,
        /// What is wrong with it, as a sentence
        why: String,
    },
    /// There is no column that names the pictures
    #[error("`{}` has no column `{FILE}`", .path.display())]
    #[diagnostic(help(
        "its first line names the columns; `{FILE}` holds each picture's path from the table's folder"
    ))]
    NoFiles {
        /// The table
        path: PathBuf,
    },
    /// There is no such column
    #[error("`{}` has no column `{column}`", .path.display())]
    #[diagnostic(help("{help}"))]
    NoColumn {
        /// The table
        path: PathBuf,
        /// The column
        column: String,
        /// Which there are
        help: String,
    },
    /// All pictures have the same value
    #[error("the column `{column}` of `{}` is `{value}` for every picture", .path.display())]
    #[diagnostic(help("there is nothing to tell apart: leave its head out"))]
    Constant {
        /// The table
        path: PathBuf,
        /// The column
        column: String,
        /// The value
        value: String,
    },
    /// A value is none of the classes
    #[error("`{}`, line {line}: `{column}` is `{value}`, and there are {classes} classes", .path.display())]
    #[diagnostic(help("class numbers go from 0 to {}", classes.saturating_sub(1)))]
    Range {
        /// The table
        path: PathBuf,
        /// The line, from 1
        line: u64,
        /// The column
        column: String,
        /// The value
        value: String,
        /// Number of classes
        classes: usize,
    },
    /// A row has no value
    #[error("`{}`, line {line}: `{column}` is empty", .path.display())]
    #[diagnostic(help("give it a value, or take out the row and its picture"))]
    Empty {
        /// The table
        path: PathBuf,
        /// The line, from 1
        line: u64,
        /// The column
        column: String,
    },
    /// A value is no number that a class can have
    #[error("`{}`, line {line}: `{column}` is `{value}`, which is no class number", .path.display())]
    #[diagnostic(help("{help}"))]
    NoClass {
        /// The table
        path: PathBuf,
        /// The line, from 1
        line: u64,
        /// The column
        column: String,
        /// The value
        value: String,
        /// What class numbers are
        help: String,
    },
    /// A picture is in no row
    #[error("`{}` has no row for the picture `{picture}`", .path.display())]
    #[diagnostic(help(
        "paths in `{FILE}` start from the table's folder; `data.exclude` leaves pictures out"
    ))]
    NoRow {
        /// The table
        path: PathBuf,
        /// The picture, from the table's folder
        picture: String,
    },
    /// The pictures are not below the table's folder
    #[error("the pictures in `{}` are not below the folder of `{}`", .root.display(), .path.display())]
    #[diagnostic(help("its paths start from the table's own folder: put the table above the pictures"))]
    Elsewhere {
        /// The table
        path: PathBuf,
        /// The folder of the pictures
        root: PathBuf,
    },
}

/// Reads a CSV file with a column `file` and a column per attribute.
///
/// # Errors
/// It can't be read, has no `file`, or a row is too short or about a picture that another row is about.
pub fn attributes(path: &Path) -> Result<Attributes, AttributesError> {
    let mut header: Option<(usize, Vec<String>)> = None;
    let mut rows = HashMap::new();
    let mut wrong = None;
    csv_records(path, |line, record| {
        let mut fault = |why: String| {
            wrong.get_or_insert(AttributesError::Row { path: path.into(), line, why });
        };
        let cells: Vec<String> = match record {
            Ok(record) => record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect(),
            Err(why) => {
                fault(why.to_string());
                return Ok(());
            }
        };
        match &header {
            None => match cells.iter().position(|cell| cell == FILE) {
                Some(file) => header = Some((file, cells)),
                None => {
                    wrong.get_or_insert(AttributesError::NoFiles { path: path.into() });
                }
            },
            Some((_, names)) if cells.len() != names.len() => {
                fault(format!("it has {} fields, and {} are named", cells.len(), names.len()));
            }
            Some((file, _)) => {
                let picture = cells[*file].replace('\\', "/");
                if let Some((before, _)) = rows.insert(picture.clone(), (line, cells)) {
                    fault(format!("`{picture}` is in line {before} already"));
                }
            }
        }
        Ok(())
    })?;
    match (wrong, header) {
        (Some(wrong), _) => Err(wrong),
        (None, None) => Err(AttributesError::NoFiles { path: path.into() }),
        (None, Some((_, columns))) => {
            let names = names(&path.with_file_name(NAMES));
            Ok(Attributes { path: path.into(), columns, rows, names })
        }
    }
}

/// Names of the classes by column, where a description says so; none where there is no such file.
fn names(path: &Path) -> HashMap<String, Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let column = |column: &serde_json::Value| {
        let names = column["names"].as_array()?;
        let names = names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
        Some((column["name"].as_str()?.to_owned(), names))
    };
    json["attributes"].as_array().into_iter().flatten().filter_map(column).collect()
}

impl Attributes {
    /// The columns besides `file`.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str).filter(|name| *name != FILE)
    }

    /// A column and its classes: as many as `classes` says, or as are described beside the table, or as there are. Of
    /// words they are in sorted order, or in that of the description.
    ///
    /// # Errors
    /// There is no such column, it is the same for all, or a value is missing or none of the classes.
    pub fn attribute(&self, column: &str, classes: Option<usize>) -> Result<Attribute, AttributesError> {
        let path = || self.path.clone();
        let Some(index) = self.columns.iter().position(|name| name == column && name != FILE) else {
            let help = match luthier_recipe::did_you_mean(column, self.columns()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("its columns are {}", self.columns().collect::<Vec<_>>().join(", ")),
            };
            return Err(AttributesError::NoColumn { path: path(), column: column.into(), help });
        };
        let mut rows: Vec<_> =
            self.rows.values().map(|(line, cells)| (*line, cells[index].as_str())).collect();
        rows.sort_unstable();
        if let Some((line, _)) = rows.iter().find(|(_, value)| value.is_empty()) {
            return Err(AttributesError::Empty { path: path(), line: *line, column: column.into() });
        }
        let values: BTreeSet<&str> = rows.iter().map(|(_, value)| *value).collect();
        if let (1, Some(value)) = (values.len(), values.first()) {
            let (column, value) = (column.into(), (*value).into());
            return Err(AttributesError::Constant { path: path(), column, value });
        }
        let described =
            self.names.get(column).filter(|names| classes.is_none_or(|count| count == names.len()));
        let number = |value: &&str| value.parse::<u32>().is_ok();
        let no_class = |fits: &dyn Fn(&&str) -> bool, help: String| {
            let (line, value) = rows.iter().find(|(_, value)| !fits(value)).copied().unwrap_or_default();
            AttributesError::NoClass { path: path(), line, column: column.into(), value: value.into(), help }
        };
        let words = !values.iter().all(number);
        let names = if words {
            match described {
                Some(names) if values.iter().all(|value| names.iter().any(|name| name == value)) => {
                    names.clone()
                }
                Some(names) => {
                    let help = format!(
                        "`{NAMES}` describes {} classes, from 0 to {}",
                        names.len(),
                        names.len().saturating_sub(1)
                    );
                    return Err(no_class(&number, help));
                }
                // -1 for an unknown one, 2.5, nan: as words they would be classes of their own
                None if values.iter().all(|value| value.parse::<f64>().is_ok()) => {
                    return Err(no_class(&number, "classes are whole numbers from 0, or words".into()));
                }
                None => values.iter().map(|value| (*value).to_owned()).collect(),
            }
        } else {
            let highest = values.iter().filter_map(|value| value.parse::<usize>().ok()).max().unwrap_or(0);
            match (classes, described) {
                (_, Some(names)) => names.clone(),
                (Some(count), None) => (0..count).map(|class| class.to_string()).collect(),
                (None, None) if highest >= rows.len().max(MOST) => {
                    let help = format!("class numbers count from 0, and the table has {} rows", rows.len());
                    let few =
                        |value: &&str| value.parse::<usize>().is_ok_and(|class| class < rows.len().max(MOST));
                    return Err(no_class(&few, help));
                }
                (None, None) => (0..=highest).map(|class| class.to_string()).collect(),
            }
        };
        let limit = classes.unwrap_or(names.len());
        let attribute = Attribute { classes: names, column: index, words };
        for (line, value) in rows {
            if attribute.label(value).is_none_or(|label| label as usize >= limit) {
                let (column, value) = (column.to_owned(), value.to_owned());
                return Err(AttributesError::Range { path: path(), line, column, value, classes: limit });
            }
        }
        Ok(attribute)
    }

    /// The labels of pictures, given as paths below `root`.
    ///
    /// # Errors
    /// A picture is in no row, or `root` is not below the table's folder.
    pub fn labels<'a>(
        &self,
        attribute: &Attribute,
        root: &Path,
        pictures: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<u32>, AttributesError> {
        let below = self.below(root)?;
        let label = |picture: &str| {
            let picture = format!("{below}{picture}");
            let row = self.rows.get(&picture);
            let label = row.and_then(|(_, cells)| attribute.label(&cells[attribute.column]));
            label.ok_or_else(|| AttributesError::NoRow { path: self.path.clone(), picture })
        };
        pictures.map(label).collect()
    }

    /// `root` as the table's paths have it: `train/`, or nothing where it is the table's own folder.
    fn below(&self, root: &Path) -> Result<String, AttributesError> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let elsewhere = || AttributesError::Elsewhere { path: self.path.clone(), root: root.into() };
        let root_whole = whole(root);
        let below = root_whole.strip_prefix(whole(folder)).map_err(|_| elsewhere())?;
        Ok(below.components().map(|part| format!("{}/", part.as_os_str().to_string_lossy())).collect())
    }
}

impl Attribute {
    /// The label that a cell stands for.
    fn label(&self, cell: &str) -> Option<u32> {
        if !self.words {
            return cell.parse().ok();
        }
        self.classes.iter().position(|class| class == cell).and_then(|at| u32::try_from(at).ok())
    }
}
