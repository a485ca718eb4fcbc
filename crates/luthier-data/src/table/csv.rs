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
    let mut reader = ::csv::ReaderBuilder::new()
        // names are looked for here, and a row of another length is no end of the file
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
                fields.take(line, record.len(), |i| record.get(i), rows)?;
            }
            Err(error) => match error.kind() {
                ::csv::ErrorKind::Io(error) => return Err(super::source::unreadable(path, error)),
                _ => {
                    let line = error.position().map_or(0, ::csv::Position::line);
                    rows.fault(line, RowFault::NotCsv { reason: error.to_string() })?;
                }
            },
        }
    }
}
