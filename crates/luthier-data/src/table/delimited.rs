//! What TSV and CSV have in common: a first line that may name the columns, then rows of fields.

use std::path::Path;

use super::{
    RowFault, TableError, TableOptions,
    collect::Collector,
    columns::{Positions, has_names, positions},
};

/// Takes rows of fields one by one.
pub(super) struct Fields<'a> {
    path: &'a Path,
    options: &'a TableOptions,
    names: bool,
    /// Where the columns are and how many the first line has; none before it
    found: Option<(Positions, usize)>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(path: &'a Path, options: &'a TableOptions) -> Result<Self, TableError> {
        Ok(Self { path, options, names: has_names(path, options)?, found: None })
    }

    /// Takes one row: `count` fields, of which `field` gives the bytes.
    pub(super) fn take<'f>(
        &mut self,
        line: u64,
        count: usize,
        field: impl Fn(usize) -> Option<&'f [u8]>,
        rows: &mut Collector<'_>,
    ) -> Result<(), TableError> {
        let (at, first) = match self.found {
            Some(found) => found,
            None => {
                let fields: Vec<String> = (0..count)
                    .map(|i| String::from_utf8_lossy(field(i).unwrap_or_default()).trim().to_owned())
                    .collect();
                let at = positions(self.path, &fields, self.names, self.options)?;
                self.found = Some((at, count));
                if self.names {
                    return Ok(());
                }
                (at, count)
            }
        };
        let missing = |what, column| RowFault::MissingField { fields: count, what, column };
        match (field(at.label), field(at.text)) {
            (Some(label), Some(text)) => {
                if count > first {
                    rows.extra_fields(line, count, first);
                }
                rows.bytes(line, label, text)
            }
            (None, _) => rows.fault(line, missing("label", at.label)),
            (_, None) => rows.fault(line, missing("text", at.text)),
        }
    }
}
