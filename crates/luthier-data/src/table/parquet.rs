//! Apache Parquet: two columns, row group by row group.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use ::parquet::{
    basic::Type as Physical,
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::DataType,
    errors::ParquetError,
    file::{
        reader::{FileReader, RowGroupReader},
        serialized_reader::SerializedFileReader,
    },
    schema::types::{ColumnDescriptor, SchemaDescriptor},
};

use super::{
    TableError, TableOptions,
    collect::Collector,
    columns::{Positions, positions},
    grid::Rows,
    source::{hash_of, open},
};

/// Rows that are decoded at a time.
const BATCH: usize = 8192;

/// Reads every row. Returns the file's hash.
pub(super) fn read(
    path: &Path,
    options: &TableOptions,
    rows: &mut Collector<'_>,
) -> Result<u128, TableError> {
    let file = open(path)?;
    let hash = hash_of(path, &file)?;
    let broken = |error: ParquetError| not_parquet(path, &error);
    // a last resort: of some thousand damaged files a few make the decoder panic. The rows are dropped with the error
    let read = catch_unwind(AssertUnwindSafe(|| {
        let reader = SerializedFileReader::new(file).map_err(broken)?;
        check_places(&reader).map_err(broken)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let leaves = leaves(path, schema, options)?;
        let mut line = 0;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(broken)?;
            read_group(group.as_ref(), leaves, &mut line, rows, &broken)?;
        }
        Ok(hash)
    }));
    read.unwrap_or_else(|_| {
        Err(broken(ParquetError::General("it is damaged, and the decoder gave up on it".to_owned())))
    })
}

/// Reads whole columns. Returns the file's hash.
pub(super) fn read_columns(path: &Path, rows: &mut Rows<'_>) -> Result<u128, TableError> {
    let file = open(path)?;
    let hash = hash_of(path, &file)?;
    let broken = |error: ParquetError| not_parquet(path, &error);
    // as in `read`
    let read = catch_unwind(AssertUnwindSafe(|| {
        let reader = SerializedFileReader::new(file).map_err(broken)?;
        check_places(&reader).map_err(broken)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let names: Vec<String> =
            schema.root_schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
        for (index, root) in rows.find(&names)?.into_iter().enumerate() {
            let leaf = flat_leaf(path, schema, root, &names[root])?;
            for group in 0..reader.num_row_groups() {
                let group = reader.get_row_group(group).map_err(broken)?;
                let optional = group.metadata().column(leaf).column_descr().max_def_level() > 0;
                let mut column = group.get_column_reader(leaf).map_err(broken)?;
                loop {
                    let texts = cells(&mut column, optional).map_err(broken)?;
                    if texts.is_empty() {
                        break;
                    }
                    rows.column(index, texts);
                }
            }
        }
        if rows.even() {
            return Ok(hash);
        }
        Err(broken(ParquetError::General("its columns are not of one length".to_owned())))
    }));
    read.unwrap_or_else(|_| {
        Err(broken(ParquetError::General("it is damaged, and the decoder gave up on it".to_owned())))
    })
}

/// The leaf of a column that is neither list nor structure.
fn flat_leaf(path: &Path, schema: &SchemaDescriptor, root: usize, name: &str) -> Result<usize, TableError> {
    let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root);
    let fits = |leaf: &usize| {
        let column = schema.column(*leaf);
        schema.get_column_root(*leaf).is_primitive()
            && column.max_rep_level() == 0
            && !matches!(column.physical_type(), Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY)
    };
    leaf.filter(fits).ok_or_else(|| TableError::ColumnKind {
        path: path.to_owned(),
        name: name.to_owned(),
        found: "neither numbers nor words".to_owned(),
        what: "cells",
        wanted: "text, numbers or truth values",
    })
}

/// The decoder trusts these numbers, and panics where one is negative.
fn check_places(reader: &SerializedFileReader<File>) -> Result<(), ParquetError> {
    let columns = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    for column in columns {
        let offsets = [column.dictionary_page_offset().unwrap_or(0), column.data_page_offset()];
        let sizes = [column.compressed_size(), column.num_values()];
        if offsets.into_iter().chain(sizes).any(|number| number < 0) {
            return Err(ParquetError::General("a column lies before the file begins".to_owned()));
        }
    }
    Ok(())
}

fn read_group(
    group: &dyn RowGroupReader,
    leaves: Positions,
    line: &mut u64,
    rows: &mut Collector<'_>,
    broken: &dyn Fn(ParquetError) -> TableError,
) -> Result<(), TableError> {
    let optional = |leaf| group.metadata().column(leaf).column_descr().max_def_level() > 0;
    let (text_null, label_null) = (optional(leaves.text), optional(leaves.label));
    let mut texts = group.get_column_reader(leaves.text).map_err(broken)?;
    let mut labels = group.get_column_reader(leaves.label).map_err(broken)?;
    loop {
        let text_cells = cells(&mut texts, text_null).map_err(broken)?;
        let label_cells = cells(&mut labels, label_null).map_err(broken)?;
        if text_cells.is_empty() {
            return Ok(());
        }
        for (text, label) in text_cells.into_iter().zip(label_cells) {
            *line += 1;
            rows.bytes(*line, &label.unwrap_or_default(), &text.unwrap_or_default())?;
        }
    }
}

/// The next values as they would be written, none for null; no values at the end of the row group.
fn cells(reader: &mut ColumnReader, optional: bool) -> Result<Vec<Option<Vec<u8>>>, ParquetError> {
    let written = |value: &dyn ToString| value.to_string().into_bytes();
    match reader {
        ColumnReader::ByteArrayColumnReader(r) => batch(r, optional, |value| value.data().to_vec()),
        ColumnReader::BoolColumnReader(r) => batch(r, optional, |value| written(value)),
        ColumnReader::Int32ColumnReader(r) => batch(r, optional, |value| written(value)),
        ColumnReader::Int64ColumnReader(r) => batch(r, optional, |value| written(value)),
        ColumnReader::FloatColumnReader(r) => batch(r, optional, |value| written(value)),
        ColumnReader::DoubleColumnReader(r) => batch(r, optional, |value| written(value)),
        // refused when the columns were looked for
        ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => Ok(Vec::new()),
    }
}

fn batch<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    optional: bool,
    write: impl Fn(&T::T) -> Vec<u8>,
) -> Result<Vec<Option<Vec<u8>>>, ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    reader.read_records(BATCH, optional.then_some(&mut levels), None, &mut values)?;
    let mut values = values.iter().map(write);
    if !optional {
        return Ok(values.map(Some).collect());
    }
    // a flat column has a value where the level is 1, and null where it is 0
    Ok(levels.iter().map(|level| if *level > 0 { values.next() } else { None }).collect())
}

/// Which leaf columns of the file hold the text and the label.
fn leaves(path: &Path, schema: &SchemaDescriptor, options: &TableOptions) -> Result<Positions, TableError> {
    let names: Vec<String> =
        schema.root_schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    let at = positions(path, &names, true, options)?;
    let leaf = |root: usize, what, wanted, fits: &dyn Fn(&ColumnDescriptor) -> bool| {
        let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == root);
        let flat = |leaf: &usize| schema.get_column_root(*leaf).is_primitive();
        let column = leaf.filter(flat).map(|leaf| (leaf, schema.column(leaf)));
        match column {
            Some((leaf, column)) if column.max_rep_level() == 0 && fits(&column) => Ok(leaf),
            found => Err(TableError::ColumnKind {
                path: path.to_owned(),
                name: names[root].clone(),
                found: found.map_or_else(
                    || "lists or structures".to_owned(),
                    |(_, column)| format!("values of the type {}", column.physical_type()),
                ),
                what,
                wanted,
            }),
        }
    };
    let is_text = |column: &ColumnDescriptor| column.physical_type() == Physical::BYTE_ARRAY;
    let is_label = |column: &ColumnDescriptor| {
        !matches!(column.physical_type(), Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY)
    };
    Ok(Positions {
        text: leaf(at.text, "text", "text", &is_text)?,
        label: leaf(at.label, "label", "text, a number or a truth value", &is_label)?,
    })
}

fn not_parquet(path: &Path, error: &ParquetError) -> TableError {
    TableError::Format {
        path: path.to_owned(),
        wanted: "a Parquet file that can be read",
        reason: error.to_string(),
        help: "check the format; pages may be uncompressed, or compressed by Snappy, gzip or Zstandard"
            .to_owned(),
    }
}
