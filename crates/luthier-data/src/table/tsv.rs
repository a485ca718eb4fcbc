//! Tab-separated values as they are: no quotes, no escapes.

use std::{
    io::{BufRead, BufReader},
    path::Path,
};

use super::{
    TableError, TableOptions,
    collect::Collector,
    delimited::Fields,
    source::{Source, unreadable},
};

/// Reads every line; blank ones are passed over. Returns the file's hash.
pub(super) fn read(
    path: &Path,
    options: &TableOptions,
    rows: &mut Collector<'_>,
) -> Result<u128, TableError> {
    let mut fields = Fields::new(path, options)?;
    lines(path, |line, bytes| {
        let count = 1 + bytes.iter().filter(|byte| **byte == b'\t').count();
        fields.take(line, count, |i| bytes.split(|byte| *byte == b'\t').nth(i), rows)
    })
}

/// Gives every line that is not blank, without its end, and its number; returns the file's hash.
pub(super) fn lines(
    path: &Path,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), TableError>,
) -> Result<u128, TableError> {
    let mut reader = BufReader::with_capacity(1 << 20, Source::text(path)?);
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(|e| unreadable(path, &e))? == 0 {
            return Ok(reader.get_ref().hash());
        }
        number += 1;
        let end = line.strip_suffix(b"\n").unwrap_or(&line);
        let end = end.strip_suffix(b"\r").unwrap_or(end);
        if !end.is_empty() {
            each(number, end)?;
        }
    }
}
