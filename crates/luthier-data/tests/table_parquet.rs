//! Parquet files as pyarrow writes them; see `fixtures/tables/make.py`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use luthier_data::{Column, Counts, Table, TableError, TableFormat, TableOptions, read_table};
use luthier_recipe::OnError;
use miette::Diagnostic;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tables").join(name)
}

fn read(name: &str, label: Column, text: Column) -> Result<Table, TableError> {
    let options =
        TableOptions { format: TableFormat::Parquet, text, label, header: None, on_error: OnError::Skip };
    read_table(&file(name), &options)
}

fn named(name: &str, label: &str, text: &str) -> Result<Table, TableError> {
    read(name, Column::Name(label.to_owned()), Column::Name(text.to_owned()))
}

fn lines(table: &Table) -> Vec<(u64, &str, &str)> {
    let class = |label: u32| table.classes[label as usize].as_str();
    table.rows.iter().map(|row| (row.line, class(row.label), row.text.as_str())).collect()
}

const ROWS: [(u64, &str, &str); 7] = [
    (1, "ham", "Hi \"there\""),
    (3, "ham", "größe 😀"),
    (6, "ham", "last"),
    (7, "spam", "seven"),
    (8, "ham", "eight"),
    (9, "spam", "nine"),
    (10, "ham", "ten\nlines"),
];

#[test]
fn every_usual_compression_is_read() {
    for name in ["none", "snappy", "gzip", "zstd"] {
        let name = format!("{name}.parquet");
        let table = named(&name, "word", "text").unwrap();
        assert_eq!(lines(&table), ROWS, "{name}");
        assert_eq!(table.counts, Counts { empty: 2, no_label: 1, ..Counts::default() }, "{name}");
        assert_eq!(table.hash, xxhash_rust::xxh3::xxh3_128(&std::fs::read(file(&name)).unwrap()));
        assert_eq!(read(&name, Column::Index(2), Column::Index(1)).unwrap(), table);
    }
}

#[test]
fn labels_may_be_numbers_truths_and_categories() {
    for (label, classes) in [
        ("number", ["9", "10"]),
        ("small", ["9", "10"]),
        ("real", ["9", "10"]),
        ("truth", ["false", "true"]),
        ("category", ["a", "b"]),
    ] {
        let table = named("snappy.parquet", label, "text").unwrap();
        assert_eq!(table.classes, classes, "{label}");
        assert_eq!(table.rows.len(), 8, "{label}");
    }
    for label in ["number", "truth"] {
        let table = named("required.parquet", label, "text").unwrap();
        assert_eq!((table.rows.len(), table.class_counts()), (10, vec![5, 5]), "{label}");
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let refusal = |name: &str, label, text| {
        let error = named(name, label, text).unwrap_err();
        let folder = format!("{}/", file("").display()).replace("//", "/");
        (error.to_string().replace(&folder, ""), error.help().map(|h| h.to_string()).unwrap_or_default())
    };
    let cases = [
        (
            refusal("none.parquet", "word", "extra"),
            "the column `extra` of `none.parquet` holds lists or structures, and the text must be text",
        ),
        (
            refusal("none.parquet", "word", "number"),
            "the column `number` of `none.parquet` holds values of the type INT64, and the text must be text",
        ),
        (
            refusal("int96.parquet", "when", "text"),
            "the column `when` of `int96.parquet` holds values of the type INT96, and the label must be text, a number or a truth value",
        ),
        (refusal("none.parquet", "word", "txt"), "`none.parquet` has no column `txt` for the text"),
    ];
    for ((seen, _), expected) in cases {
        assert_eq!(seen, expected);
    }
    let (_, hint) = refusal("none.parquet", "word", "txt");
    assert!(hint.starts_with("did you mean `text`? it has `extra`, `text`, `word`, "), "{hint}");
    let (seen, hint) = refusal("brotli.parquet", "number", "text");
    assert!(seen.starts_with("`brotli.parquet` is not a Parquet file that can be read: "), "{seen}");
    assert!(hint.contains("Snappy, gzip or Zstandard"), "{hint}");
    let (seen, _) = refusal("make.py", "number", "text");
    assert!(seen.starts_with("`make.py` is not a Parquet file that can be read: "), "{seen}");
}

/// Damaged at any place, a file is read or refused, and nothing panics.
#[test]
fn damage_is_no_panic() {
    let whole = std::fs::read(file("snappy.parquet")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.parquet");
    let options = TableOptions {
        format: TableFormat::Parquet,
        text: Column::Name("text".to_owned()),
        label: Column::Name("word".to_owned()),
        header: None,
        on_error: OnError::Skip,
    };
    for at in (0..whole.len()).step_by(3) {
        for flip in [0x01, 0x80, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            std::fs::write(&path, &bytes).unwrap();
            let _ = read_table(&path, &options);
        }
        std::fs::write(&path, &whole[..at]).unwrap();
        let _ = read_table(&path, &options);
    }
}
