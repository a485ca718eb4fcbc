//! Tables of labelled texts: what is read, what is counted, and the sentences for what can't be used.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

mod common;

use std::path::PathBuf;

use luthier_data::{
    Column, Counts, Table, TableError, TableFormat, TableOptions, read_table, read_table_like,
};
use luthier_recipe::OnError;
use miette::Diagnostic;
use proptest::prelude::*;
use tempfile::TempDir;

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn numbered(format: TableFormat, label: usize, text: usize) -> TableOptions {
    TableOptions {
        format,
        text: Column::Index(text),
        label: Column::Index(label),
        header: None,
        on_error: OnError::Fail,
    }
}

fn named(format: TableFormat, label: &str, text: &str) -> TableOptions {
    TableOptions {
        text: Column::Name(text.to_owned()),
        label: Column::Name(label.to_owned()),
        ..numbered(format, 0, 1)
    }
}

fn skipping(options: TableOptions) -> TableOptions {
    TableOptions { on_error: OnError::Skip, ..options }
}

fn read(options: &TableOptions, bytes: impl AsRef<[u8]>) -> Result<Table, TableError> {
    let (_folder, path) = file("table", bytes);
    read_table(&path, options)
}

/// The message and the hint, with the file named alone.
fn refusal(options: &TableOptions, bytes: impl AsRef<[u8]>) -> String {
    let (folder, path) = file("table", bytes);
    said(&read_table(&path, options).unwrap_err(), &folder)
}

fn said(error: &TableError, folder: &TempDir) -> String {
    let help = error.help().map(|help| format!("\n{help}")).unwrap_or_default();
    format!("{error}{help}").replace(&format!("{}/", folder.path().display()), "")
}

fn lines(table: &Table) -> Vec<(u64, &str, &str)> {
    let class = |label: u32| table.classes[label as usize].as_str();
    table.rows.iter().map(|row| (row.line, class(row.label), row.text.as_str())).collect()
}

const TSV: TableFormat = TableFormat::Tsv;
const CSV: TableFormat = TableFormat::Csv;
const JSONL: TableFormat = TableFormat::Jsonl;

#[test]
fn the_messages_are_read_with_their_quotes() {
    let Some(data) = common::shared_data() else { return };
    let path = data.join("sms-spam/SMSSpamCollection");
    let table = read_table(&path, &numbered(TSV, 0, 1)).unwrap();
    assert_eq!(table.classes, ["ham", "spam"]);
    assert_eq!(table.class_counts(), [4827, 747]);
    assert_eq!(table.rows.last().unwrap().line, 5574);
    assert_eq!((table.skipped.len(), table.counts.extra_fields, &table.notes), (0, 0, &Vec::new()));
    // every byte of every line is in a row again
    let original = std::fs::read_to_string(&path).unwrap();
    for (row, line) in table.rows.iter().zip(original.lines()) {
        assert_eq!(format!("{}\t{}", table.classes[row.label as usize], row.text), line);
    }
    assert!(
        table.rows.iter().any(|row| row.text.matches('"').count() == 1),
        "no lone quotation mark is kept"
    );
    assert_eq!(table.hash, xxhash_rust::xxh3::xxh3_128(original.as_bytes()));

    let swapped = read_table(&path, &numbered(TSV, 1, 0)).unwrap_err();
    assert!(matches!(swapped, TableError::FreeText { classes: 5000.., rows: 5574, .. }), "{swapped}");
    let hint = swapped.help().unwrap().to_string();
    assert_eq!(
        hint,
        "the columns may be swapped: the text column has only 2 different values; try `text = 1` and `label = 0`"
    );
}

#[test]
fn nothing_is_quoted_in_tsv() {
    let table =
        read(&numbered(TSV, 0, 1), "ham\t\"Hi\nspam\tyou \"\"won\"\r\n\nham\t  kept as it is \n").unwrap();
    let expected = [(1, "ham", "\"Hi"), (2, "spam", "you \"\"won\""), (4, "ham", "  kept as it is ")];
    assert_eq!(lines(&table), expected);
}

#[test]
fn csv_is_quoted_and_its_rows_begin_on_their_lines() {
    let bytes = "text,label\n\"one, \"\"two\"\"\nthree\",b\nfour,a\n";
    let table = read(&named(CSV, "label", "text"), bytes).unwrap();
    assert_eq!(lines(&table), [(2, "b", "one, \"two\"\nthree"), (4, "a", "four")]);
}

#[test]
fn json_lines_hold_labels_of_any_plain_kind() {
    let bytes = concat!(
        "{\"text\": \"caf\\u00e9 \\ud83d\\ude00\", \"label\": 10, \"more\": [1]}\n\n",
        "{\"label\": 9, \"text\": \"b\"}\n{\"label\": \"9\", \"text\": \"c\"}"
    );
    let table = read(&named(JSONL, "label", "text"), bytes).unwrap();
    assert_eq!(lines(&table), [(1, "10", "café 😀"), (3, "9", "b"), (4, "9", "c")]);
    assert_eq!(table.classes, ["9", "10"], "numbers are sorted as numbers");
    let truths = "{\"t\": \"a\", \"l\": true}\n{\"t\": \"b\", \"l\": false}";
    assert_eq!(read(&named(JSONL, "l", "t"), truths).unwrap().classes, ["false", "true"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    let table = read(&named(TSV, "label", "text"), "\u{feff}label\ttext\na\tx\nb\ty").unwrap();
    assert_eq!(lines(&table), [(2, "a", "x"), (3, "b", "y")]);
    let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain("a\tb".bytes().flat_map(|b| [b, 0])).collect();
    assert_eq!(
        refusal(&numbered(TSV, 0, 1), utf16),
        "`table` is written in UTF-16, and only UTF-8 is read\nconvert it: `iconv -f UTF-16 -t UTF-8 FILE > NEW`"
    );
}

#[test]
fn what_cannot_be_used_is_left_out_and_counted() {
    let bytes = b"a\tone\nb\nb\ttwo\x07\na\t \n \tthree\nb\t\xff\xfe\nb\tfour\tfive\na\t\0nul\ttail\n";
    let (folder, path) = file("table", bytes);
    let table = read_table(&path, &skipping(numbered(TSV, 0, 1))).unwrap();
    assert_eq!(lines(&table), [(1, "a", "one"), (3, "b", "two\u{7}"), (7, "b", "four"), (8, "a", "\0nul")]);
    let expected = Counts {
        empty: 1,
        no_label: 1,
        missing_field: 1,
        not_utf8: 1,
        malformed: 0,
        control_chars: 2,
        extra_fields: 2,
    };
    assert_eq!(table.counts, expected);
    let why: Vec<String> = table.skipped.iter().map(|s| format!("{} {}", s.line, s.why)).collect();
    assert_eq!(
        why,
        [
            "2 has 1 field, so there is no text in column 1 (the first is 0)",
            "4 has an empty text",
            "5 has no label",
            "6 is not UTF-8: byte 1 of the text belongs to no character",
        ]
    );
    let notes: Vec<String> =
        table.notes.iter().map(|n| n.replace(&format!("{}/", folder.path().display()), "")).collect();
    assert_eq!(
        notes,
        ["`table:7` has 3 fields and the first line has 2: a separator within a text cuts it short"]
    );
}

#[test]
fn an_empty_text_is_no_reason_to_stop() {
    let table = read(&numbered(TSV, 0, 1), "a\tone\nb\t\nb\ttwo").unwrap();
    assert_eq!((table.rows.len(), table.counts.empty), (2, 1));
}

#[test]
fn a_row_that_cannot_be_used_is_named() {
    let tsv = numbered(TSV, 0, 1);
    let cases = [
        (
            refusal(&tsv, "a\tone\nb\n"),
            "`table:2` has 1 field, so there is no text in column 1 (the first is 0)\nmend the row, or leave such rows out with `data.on_error = \"skip\"`",
        ),
        (
            refusal(&tsv, b"a\tone\nb\tcaf\xe9\n"),
            "`table:2` is not UTF-8: byte 4 of the text belongs to no character\nconvert the file (`iconv -f LATIN1 -t UTF-8 FILE > NEW` if it is Latin-1), or leave such rows out with `data.on_error = \"skip\"`",
        ),
        (
            refusal(
                &named(JSONL, "label", "text"),
                "{\"label\": 1, \"text\": \"a\"}\n{\"label\": 1, \"tex\": \"a\"}",
            ),
            "`table:2` has no `text` (it has `tex`)\nmend the row, or leave such rows out with `data.on_error = \"skip\"`",
        ),
        (
            refusal(&named(JSONL, "label", "text"), "{\"label\": [1], \"text\": \"a\"}"),
            "`table:1` has a list as `label`, and a word, a number or a truth value is expected\nmend the row, or leave such rows out with `data.on_error = \"skip\"`",
        ),
        (
            refusal(&named(JSONL, "label", "text"), "{\"label\": 1, \"text\": \"a\"\n"),
            "`table:1` is not a JSON object: EOF while parsing an object (column 24)\nmend the row, or leave such rows out with `data.on_error = \"skip\"`",
        ),
    ];
    for (seen, expected) in cases {
        assert_eq!(seen, expected);
    }
}

#[test]
fn columns_that_are_not_there_are_named() {
    let two = "label\tmessage\na\tx\nb\ty\n";
    let cases = [
        (
            refusal(&named(TSV, "label", "mesage"), two),
            "`table` has no column `mesage` for the text\ndid you mean `message`? it has `label`, `message`",
        ),
        (
            refusal(&numbered(TSV, 0, 2), two),
            "`table` has 2 columns, so there is no column 2 for the text\nthe first is 0 and the last is 1",
        ),
        (
            refusal(&numbered(CSV, 0, 1), two),
            "`table` has 1 column, so there is no column 1 for the text\nthe first column is 0; with one column only, check that the format is the right one",
        ),
        (
            refusal(&numbered(TSV, 1, 1), two),
            "the text and the label of `table` are both in column 1\nname one column each",
        ),
        (
            refusal(&TableOptions { header: Some(false), ..named(TSV, "label", "message") }, two),
            "`message` names a column of `table`, but `header = false` says that no line names the columns\nnumber the columns (the first is 0), or leave `header` out",
        ),
        (
            refusal(&named(JSONL, "label", "txt"), "{\"label\": 1, \"text\": \"a\"}"),
            "`table` has no column `txt` for the text\ndid you mean `text`? it has `label`, `text`",
        ),
        (
            refusal(&numbered(JSONL, 0, 1), "{\"label\": 1, \"text\": \"a\"}"),
            "column 1 of `table` has no meaning: the keys of a JSON object have no order\nname the key",
        ),
        (
            refusal(&named(JSONL, "label", "text"), "[{\"label\": 1, \"text\": \"a\"},\n{\"label\": 2}]"),
            "`table` is not JSON lines: it is one list, and each line must be an object of its own\nrewrite it: `jq -c '.[]' FILE > NEW`",
        ),
    ];
    for (seen, expected) in cases {
        assert_eq!(seen, expected);
    }
}

#[test]
fn tables_that_teach_nothing_are_refused() {
    let tsv = numbered(TSV, 0, 1);
    assert_eq!(
        refusal(&tsv, "a\tx\na\ty\n"),
        "every row of `table` has the label `a`: there is nothing to tell apart\ncheck the label column, or add rows of another class"
    );
    assert_eq!(refusal(&tsv, ""), "the table `table` has no rows");
    assert_eq!(refusal(&tsv, "\n\r\n\n"), "the table `table` has no rows");
    assert_eq!(refusal(&named(TSV, "label", "text"), "label\ttext\n"), "the table `table` has no rows");
    assert_eq!(
        refusal(&skipping(tsv.clone()), "a\t\nb\t \n"),
        "no row of `table` can be used; the first: line 1 has an empty text\ncheck the format and the columns: 2 rows were read and left out"
    );
    let different: String = (0..12).map(|i| format!("label {i}\ttext {i}\n")).collect();
    assert_eq!(
        refusal(&tsv, different),
        "12 of the 12 labels in `table` are different: they are no classes (line 1: `label 0`)\npoint the label column to the one that holds the class of each row"
    );
    let folder = tempfile::tempdir().unwrap();
    let error = read_table(folder.path(), &tsv).unwrap_err();
    assert!(matches!(error, TableError::Folder { .. }), "{error}");
    let error = read_table(&folder.path().join("none.tsv"), &tsv).unwrap_err();
    assert!(matches!(error, TableError::Missing { .. }), "{error}");
}

#[test]
fn a_first_line_of_names_is_seen_or_said() {
    let body: String = (0..6).map(|i| format!("ham\tmessage {i}\nspam\tprize {i}\n")).collect();
    let with_names = format!("v1\tv2\n{body}");
    let numbered = numbered(TSV, 0, 1);
    let seen = read(&numbered, &with_names).unwrap();
    assert_eq!((seen.rows.len(), seen.rows[0].line, seen.classes.len()), (12, 2, 2));
    assert_eq!(
        seen.notes,
        [
            "the first line was taken for names of columns: no other row has the label `v1` (`header = false` keeps it)"
        ]
    );
    let said = read(&TableOptions { header: Some(true), ..numbered.clone() }, &with_names).unwrap();
    assert_eq!((&said.rows, &said.classes, said.notes.len()), (&seen.rows, &seen.classes, 0));
    let kept = read(&TableOptions { header: Some(false), ..numbered.clone() }, &with_names).unwrap();
    assert_eq!(kept.classes, ["ham", "spam", "v1"]);
    assert_eq!(read(&numbered, &body).unwrap().rows.len(), 12);
    // one of two rare classes may well come first
    assert_eq!(read(&numbered, format!("rare\tx\n{body}odd\ty\n")).unwrap().classes.len(), 4);
}

#[test]
fn validation_speaks_the_labels_of_training() {
    let classes = ["9".to_owned(), "10".to_owned(), "eleven".to_owned()];
    let tsv = numbered(TSV, 0, 1);
    let (folder, path) = file("valid", "10\tx\n10\ty\n");
    let table = read_table_like(&path, &classes, &tsv).unwrap();
    assert_eq!(table.rows.iter().map(|row| row.label).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(table.classes, classes);
    let note = table.notes[0].replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(note, "`valid` has no row of `9`, `eleven`");

    let (folder, path) = file("valid", "9\tx\n10\ty\nElven\tz\n");
    let error = read_table_like(&path, &classes, &tsv).unwrap_err();
    assert_eq!(
        said(&error, &folder),
        "`valid:3` has the label `Elven`, which the training data doesn't have\ndid you mean `eleven`? the training classes are `9`, `10`, `eleven`"
    );
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..400), format in 0..4) {
        let format = [TSV, CSV, JSONL, TableFormat::Parquet][format as usize];
        let (_folder, path) = file("table", bytes);
        for options in [numbered(format, 0, 1), named(format, "label", "text")] {
            let _ = read_table(&path, &options);
            let _ = read_table(&path, &skipping(options));
        }
    }

    #[test]
    fn every_row_comes_back_from_tsv_and_csv(
        rows in prop::collection::vec(("[ab]", "[ -~éß漢😀\"']{0,20}x"), 1..40),
    ) {
        let mut rows = rows;
        rows.push(("a".to_owned(), "x".to_owned()));
        rows.push(("b".to_owned(), "y".to_owned()));
        let tsv: String = rows.iter().map(|(label, text)| format!("{label}\t{text}\n")).collect();
        let mut csv = csv::Writer::from_writer(Vec::new());
        for (label, text) in &rows {
            csv.write_record([label, text]).unwrap();
        }
        for (format, bytes) in [(TSV, tsv.into_bytes()), (CSV, csv.into_inner().unwrap())] {
            let table = read(&TableOptions { header: Some(false), ..numbered(format, 0, 1) }, bytes).unwrap();
            let seen: Vec<(String, String)> =
                lines(&table).into_iter().map(|(_, label, text)| (label.to_owned(), text.to_owned())).collect();
            prop_assert_eq!(&seen, &rows);
        }
    }
}
