//! Rows on their way into a table: what is wrong with one is said, counted, and skipped or refused.

use std::{collections::HashMap, path::Path};

use luthier_recipe::OnError;

use super::{Counts, Row, RowFault, Skipped, Table, TableError};

/// Takes rows one by one. Labels are numbered as they come; [`finish`](Self::finish) sorts them.
pub(super) struct Collector<'a> {
    path: &'a Path,
    on_error: OnError,
    table: Table,
    numbers: HashMap<String, u32>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(path: &'a Path, on_error: OnError) -> Self {
        let table = Table {
            rows: Vec::new(),
            classes: Vec::new(),
            skipped: Vec::new(),
            counts: Counts::default(),
            hash: 0,
            notes: Vec::new(),
        };
        Self { path, on_error, table, numbers: HashMap::new() }
    }

    /// A row of undecoded fields.
    pub(super) fn bytes(&mut self, line: u64, label: &[u8], text: &[u8]) -> Result<(), TableError> {
        let utf8 = |what, bytes| {
            std::str::from_utf8(bytes).map_err(|e| RowFault::NotUtf8 { what, byte: e.valid_up_to() + 1 })
        };
        match (utf8("label", label), utf8("text", text)) {
            (Ok(label), Ok(text)) => self.row(line, label, text.to_owned()),
            (Err(fault), _) | (_, Err(fault)) => self.fault(line, fault),
        }
    }

    /// A row. The label's surrounding white space is dropped; the text stays as it is.
    pub(super) fn row(&mut self, line: u64, label: &str, text: String) -> Result<(), TableError> {
        let label = label.trim();
        if label.is_empty() {
            return self.fault(line, RowFault::EmptyLabel);
        }
        if text.trim().is_empty() {
            return self.fault(line, RowFault::EmptyText);
        }
        // every control character but those of U+0080 … U+009F is one byte
        let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
        self.table.counts.control_chars += usize::from(text.contains(odd));
        let number = match self.numbers.get(label) {
            Some(number) => *number,
            None => {
                let number = self.table.classes.len() as u32;
                self.table.classes.push(label.to_owned());
                self.numbers.insert(label.to_owned(), number);
                number
            }
        };
        self.table.rows.push(Row { line, text, label: number });
        Ok(())
    }

    /// A row that can't be used.
    pub(super) fn fault(&mut self, line: u64, fault: RowFault) -> Result<(), TableError> {
        if self.on_error == OnError::Fail && fault != RowFault::EmptyText {
            return Err(TableError::Row { path: self.path.to_owned(), line, fault });
        }
        let counts = &mut self.table.counts;
        *match fault {
            RowFault::EmptyText => &mut counts.empty,
            RowFault::EmptyLabel => &mut counts.no_label,
            RowFault::MissingField { .. } | RowFault::MissingKey { .. } => &mut counts.missing_field,
            RowFault::NotUtf8 { .. } => &mut counts.not_utf8,
            RowFault::NotJson { .. }
            | RowFault::NotCsv { .. }
            | RowFault::Kind { .. }
            | RowFault::ExtraFields { .. } => &mut counts.malformed,
        } += 1;
        self.table.skipped.push(Skipped { line, why: fault });
        Ok(())
    }

    /// Counts a row with more fields than the first line; what is beyond them is not read.
    pub(super) fn extra_fields(&mut self, line: u64, has: usize, first: usize) {
        if self.table.counts.extra_fields == 0 {
            self.table.notes.push(format!(
                "`{}:{line}` has {has} fields and the first line has {first}: a separator within a text cuts it short",
                self.path.display()
            ));
        }
        self.table.counts.extra_fields += 1;
    }

    pub(super) fn finish(self, hash: u128) -> Result<Table, TableError> {
        let Self { path, mut table, .. } = self;
        if table.rows.is_empty() {
            return Err(match table.skipped.into_iter().next() {
                None => TableError::Empty { path: path.to_owned() },
                Some(Skipped { line, why }) => TableError::NoRow {
                    path: path.to_owned(),
                    line,
                    fault: why,
                    rows: count_skipped(&table.counts),
                },
            });
        }
        table.hash = hash;
        super::labels::sort(&mut table);
        Ok(table)
    }
}

fn count_skipped(counts: &Counts) -> usize {
    counts.empty + counts.no_label + counts.missing_field + counts.not_utf8 + counts.malformed
}
