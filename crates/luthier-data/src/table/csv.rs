//! Comma-separated values, quoted as RFC 4180 says.

use std::path::Path;

use super::{RowFault, TableError, TableOptions, collect::Collector, delimited::Fields, source::Source};

/// Reads every record; blank lines are passed over. Returns the file's hash.
pub(super) fn read(
    path: &Path,
    options: &TableOptions,
    rows: &mut Collector<'_>,
) -> Result<u128, TableError> {
    let mut fields = Fields::new(path, options)?;
    records(path, |line, record| match record {
        Ok(record) => fields.take(line, record.len(), |i| record.get(i), rows),
        Err(fault) => rows.fault(line, fault),
    })
}

/// Gives every record, or what is wrong with it, with the number of its line. Returns the file's hash.
pub(crate) fn records(
    path: &Path,
    mut each: impl FnMut(u64, Result<&::csv::ByteRecord, RowFault>) -> Result<(), TableError>,
) -> Result<u128, TableError> {
    let mut reader = ::csv::ReaderBuilder::new()
        // names are looked for by the caller, and a row of another length is a fault of that row
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1 << 20)
        .from_reader(Source::text(path)?);
    let mut record = ::csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(reader.get_ref().hash()),
            Ok(true) => {
                let line = record.position().map_or(0, ::csv::Position::line);
                each(line, Ok(&record))?;
            }
            Err(error) => match error.kind() {
                ::csv::ErrorKind::Io(error) => return Err(super::source::unreadable(path, error)),
                _ => {
                    let line = error.position().map_or(0, ::csv::Position::line);
                    each(line, Err(RowFault::NotCsv { reason: error.to_string() }))?;
                }
            },
        }
    }
}
