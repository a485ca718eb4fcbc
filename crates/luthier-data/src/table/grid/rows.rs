//! Rows on their way into columns.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use luthier_recipe::OnError;

use super::{Cells, Features, Grid, GridColumn, GridOptions, Kind};
use crate::table::{Column, RowFault, TableError, columns::no_column, labels};

/// What counts as missing, besides nothing.
const MISSING: [&str; 5] = ["na", "n/a", "nan", "null", "?"];

/// One cell, as read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::table) enum Cell {
    Number(f64),
    /// Index into the column's words
    Word(u32),
    Missing,
}

/// Takes rows one by one, or columns.
pub(in crate::table) struct Rows<'a> {
    path: &'a Path,
    options: &'a GridOptions,
    lines: Vec<u64>,
    /// Features, then targets; none before the first line
    columns: Vec<Reading>,
    header: bool,
    /// Fields of the first line
    width: usize,
    skipped: Vec<(u64, String)>,
}

/// A column while it is read.
struct Reading {
    name: String,
    /// Which field of a line
    at: usize,
    kind: Option<Kind>,
    cells: Vec<Cell>,
    words: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Reading {
    /// What a field says.
    fn cell(&mut self, text: &str) -> Cell {
        let text = text.trim();
        let missing =
            |text: &str| text.is_empty() || MISSING.iter().any(|word| text.eq_ignore_ascii_case(word));
        if self.kind != Some(Kind::Words)
            && let Ok(number) = text.parse::<f64>()
        {
            return if number.is_nan() { Cell::Missing } else { Cell::Number(number) };
        }
        if missing(text) {
            return Cell::Missing;
        }
        if let Some(code) = self.numbers.get(text) {
            return Cell::Word(*code);
        }
        let code = self.words.len() as u32;
        self.words.push(text.to_owned());
        self.numbers.insert(text.to_owned(), code);
        Cell::Word(code)
    }
}

impl<'a> Rows<'a> {
    pub(super) fn new(path: &'a Path, options: &'a GridOptions) -> Self {
        Rows {
            path,
            options,
            lines: Vec::new(),
            columns: Vec::new(),
            header: false,
            width: 0,
            skipped: Vec::new(),
        }
    }

    /// Takes a line of a TSV or CSV file; the first may name the columns.
    pub(super) fn line(&mut self, line: u64, fields: &[&[u8]]) -> Result<(), TableError> {
        if self.columns.is_empty() {
            let texts: Vec<String> =
                fields.iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect();
            self.header = self.first_names(&texts)?;
            self.width = fields.len();
            let names =
                if self.header { texts } else { (0..fields.len()).map(|at| at.to_string()).collect() };
            self.find(&names)?;
            if self.header {
                return Ok(());
            }
        }
        if fields.len() > self.width {
            return self.fault(line, RowFault::ExtraFields { fields: fields.len(), first: self.width });
        }
        let mut cells = Vec::with_capacity(self.columns.len());
        for index in 0..self.columns.len() {
            let at = self.columns[index].at;
            let Some(bytes) = fields.get(at) else {
                let fault = RowFault::MissingField { fields: fields.len(), what: "value", column: at };
                return self.fault(line, fault);
            };
            match std::str::from_utf8(bytes) {
                Ok(text) => cells.push(self.columns[index].cell(text)),
                Err(error) => {
                    let fault = RowFault::NotUtf8 { what: "value", byte: error.valid_up_to() + 1 };
                    return self.fault(line, fault);
                }
            }
        }
        self.push(line, &cells);
        Ok(())
    }

    /// Whether the columns are known.
    pub(super) fn begun(&self) -> bool {
        !self.columns.is_empty()
    }

    /// The names of the picked columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// A row of fields by name, one for each picked column: a number, a text, or nothing.
    pub(super) fn row(&mut self, line: u64, values: &[Option<Value<'_>>]) {
        let cells: Vec<Cell> = self
            .columns
            .iter_mut()
            .zip(values)
            .map(|(column, value)| match value {
                None => Cell::Missing,
                Some(Value::Number(number)) if column.kind != Some(Kind::Words) => Cell::Number(*number),
                Some(Value::Number(number)) => column.cell(&number.to_string()),
                Some(Value::Text(text)) => column.cell(text),
            })
            .collect();
        self.push(line, &cells);
    }

    fn push(&mut self, line: u64, cells: &[Cell]) {
        self.lines.push(line);
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.cells.push(*cell);
        }
    }

    /// A whole column of a Parquet file, as it would be written.
    pub(in crate::table) fn column(&mut self, index: usize, texts: Vec<Option<Vec<u8>>>) {
        let Some(column) = self.columns.get_mut(index) else { return };
        for text in texts {
            let cell = match text {
                None => Cell::Missing,
                Some(bytes) => column.cell(&String::from_utf8_lossy(&bytes)),
            };
            column.cells.push(cell);
        }
        let rows = column.cells.len();
        self.lines.extend(self.lines.len() as u64 + 1..=rows as u64);
    }

    /// Whether all columns have as many cells.
    pub(in crate::table) fn even(&self) -> bool {
        self.columns.iter().all(|column| column.cells.len() == self.lines.len())
    }

    /// Finds the columns among named ones. Returns the position of each.
    pub(in crate::table) fn find(&mut self, names: &[String]) -> Result<Vec<usize>, TableError> {
        let mut columns = Vec::new();
        let targets = self.options.targets.iter().map(|column| self.place(column, "target", names));
        let targets: Vec<usize> = targets.collect::<Result<_, _>>()?;
        match &self.options.features {
            Features::Others => {
                let others = (0..names.len()).filter(|at| !targets.contains(at));
                columns.extend(others.map(|at| (at, None)));
            }
            Features::These(wanted) => {
                for (column, kind) in wanted {
                    columns.push((self.place(column, "features", names)?, *kind));
                }
            }
        }
        columns.extend(targets.iter().map(|at| (*at, Some(self.options.target_kind))));
        let reading = |(at, kind): (usize, Option<Kind>)| Reading {
            name: names[at].clone(),
            at,
            kind,
            cells: Vec::new(),
            words: Vec::new(),
            numbers: HashMap::new(),
        };
        self.columns = columns.into_iter().map(reading).collect();
        Ok(self.columns.iter().map(|column| column.at).collect())
    }

    fn place(&self, column: &Column, what: &'static str, names: &[String]) -> Result<usize, TableError> {
        match column {
            Column::Index(index) if *index < names.len() => Ok(*index),
            Column::Index(index) => Err(TableError::NoIndex {
                path: self.path.to_owned(),
                index: *index,
                what,
                columns: names.len(),
                help: format!("the first is 0; the columns are {}", labels::listed(names)),
            }),
            Column::Name(name) => {
                let at = names.iter().position(|known| known == name);
                at.ok_or_else(|| no_column(self.path, name, what, names))
            }
        }
    }

    fn first_names(&self, texts: &[String]) -> Result<bool, TableError> {
        let features = match &self.options.features {
            Features::Others => &[][..],
            Features::These(features) => features,
        };
        let named =
            self.options.targets.iter().chain(features.iter().map(|(column, _)| column)).find_map(|column| {
                match column {
                    Column::Name(name) => Some(name),
                    Column::Index(_) => None,
                }
            });
        match (self.options.header, named) {
            (Some(false), Some(name)) => {
                Err(TableError::NamesWithoutHeader { path: self.path.to_owned(), name: name.clone() })
            }
            (Some(said), _) => Ok(said),
            (None, Some(_)) => Ok(true),
            (None, None) => Ok(texts.iter().all(|text| text.parse::<f64>().is_err())),
        }
    }

    /// A row that can't be used.
    pub(super) fn fault(&mut self, line: u64, fault: RowFault) -> Result<(), TableError> {
        if self.options.on_error != OnError::Skip {
            return Err(TableError::Row { path: self.path.to_owned(), line, fault });
        }
        self.skipped.push((line, fault.to_string()));
        Ok(())
    }

    /// Decides the kind of every column and leaves out the rows that do not fit.
    pub(super) fn finish(mut self, hash: u128) -> Result<Grid, TableError> {
        let features = self.columns.len() - self.options.targets.len().min(self.columns.len());
        let keep = self.options.on_error == OnError::Keep;
        let mut bad: BTreeMap<usize, (usize, Cell)> = BTreeMap::new();
        let mut kinds = Vec::with_capacity(self.columns.len());
        for (index, column) in self.columns.iter().enumerate() {
            let kind = column.kind.unwrap_or_else(|| most(&column.cells));
            kinds.push(kind);
            for (row, cell) in column.cells.iter().enumerate() {
                let fine = match (kind, cell) {
                    (Kind::Numbers, Cell::Number(number)) => number.is_finite() || keep,
                    (Kind::Numbers, Cell::Missing) => keep && index < features,
                    (Kind::Words, Cell::Word(_)) => true,
                    _ => false,
                };
                if !fine {
                    bad.entry(row).or_insert((index, *cell));
                }
            }
        }
        let mut notes = Vec::with_capacity(bad.len());
        for (row, (index, cell)) in &bad {
            let (column, line) = (&self.columns[*index], self.lines[*row]);
            let what = complaint(column, kinds[*index], *cell);
            if self.options.on_error != OnError::Skip {
                return Err(TableError::Cell {
                    path: self.path.to_owned(),
                    line,
                    column: column.name.clone(),
                    what,
                    help: mend(kinds[*index], *cell),
                });
            }
            notes.push((line, format!("has a cell in the column `{}` that {what}", column.name)));
        }
        if self.lines.len() == bad.len() {
            let path = self.path.to_owned();
            self.skipped.append(&mut notes);
            self.skipped.sort();
            return Err(match self.skipped.first() {
                None => TableError::Empty { path },
                Some((line, why)) => {
                    TableError::NoUsable { path, line: *line, why: why.clone(), rows: self.skipped.len() }
                }
            });
        }
        self.skipped.extend(notes);
        self.skipped.sort();
        let kept = |row: &usize| !bad.contains_key(row);
        let lines = (0..self.lines.len()).filter(kept).map(|row| self.lines[row]).collect();
        let mut columns: Vec<GridColumn> =
            self.columns.into_iter().zip(kinds).map(|(column, kind)| column.finish(kind, &kept)).collect();
        let targets = columns.split_off(features);
        Ok(Grid { lines, features: columns, targets, header: self.header, skipped: self.skipped, hash })
    }
}

/// A value of a JSON object.
pub(super) enum Value<'v> {
    Number(f64),
    Text(&'v str),
}

impl Reading {
    fn finish(self, kind: Kind, kept: &dyn Fn(&usize) -> bool) -> GridColumn {
        let rows = (0..self.cells.len()).filter(kept);
        let cells = match kind {
            Kind::Numbers => Cells::Numbers(
                rows.map(|row| match self.cells[row] {
                    Cell::Number(number) => number,
                    _ => f64::NAN,
                })
                .collect(),
            ),
            Kind::Words => {
                let codes: Vec<u32> = rows
                    .map(|row| match self.cells[row] {
                        Cell::Word(code) => code,
                        _ => 0,
                    })
                    .collect();
                words(self.words, &codes)
            }
        };
        GridColumn { name: self.name, cells }
    }
}

/// The words that are left, sorted, and their codes.
fn words(all: Vec<String>, codes: &[u32]) -> Cells {
    let mut used = vec![false; all.len()];
    for code in codes {
        used[*code as usize] = true;
    }
    let left: Vec<usize> = (0..all.len()).filter(|code| used[*code]).collect();
    let names: Vec<String> = left.iter().map(|code| all[*code].clone()).collect();
    let mut new = vec![0u32; all.len()];
    let order = labels::order(&names);
    for (to, from) in order.iter().enumerate() {
        new[left[*from]] = to as u32;
    }
    let words = order.into_iter().map(|from| names[from].clone()).collect();
    Cells::Words { words, codes: codes.iter().map(|code| new[*code as usize]).collect() }
}

/// What most cells are; numbers where as many are either.
fn most(cells: &[Cell]) -> Kind {
    let numbers = cells.iter().filter(|cell| matches!(cell, Cell::Number(_))).count();
    let words = cells.iter().filter(|cell| matches!(cell, Cell::Word(_))).count();
    if words > numbers { Kind::Words } else { Kind::Numbers }
}

fn complaint(column: &Reading, kind: Kind, cell: Cell) -> String {
    match (cell, kind) {
        (Cell::Missing, Kind::Numbers) => "is empty or not a number".to_owned(),
        (Cell::Missing, Kind::Words) => "is empty".to_owned(),
        (Cell::Number(number), Kind::Numbers) => format!("is {number}, which is not finite"),
        (Cell::Number(number), Kind::Words) => format!("is {number}, and most of the column are words"),
        (Cell::Word(code), _) => {
            let word: String = column
                .words
                .get(code as usize)
                .map(|word| word.chars().take(40).collect())
                .unwrap_or_default();
            let of = if column.kind.is_some() {
                "the column must be numbers"
            } else {
                "most of the column are numbers"
            };
            format!("is `{word}`, and {of}")
        }
    }
}

fn mend(kind: Kind, cell: Cell) -> String {
    const SKIP: &str = "leave such rows out with `data.on_error = \"skip\"`";
    match (cell, kind) {
        (Cell::Missing, Kind::Numbers) | (Cell::Number(_), Kind::Numbers) => {
            format!("fill the cell in, or {SKIP}")
        }
        (Cell::Missing, Kind::Words) => format!("fill the cell in, or {SKIP}"),
        _ => format!(
            "mend the cell, {SKIP}, or leave the column out: `data.features` lists those that are used"
        ),
    }
}
