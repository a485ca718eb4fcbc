//! Tables of numbers and words: columns, kinds, and cells that can't be used.

use std::path::PathBuf;

use luthier_data::{Cells, Column, Features, Grid, GridOptions, Kind, TableError, TableFormat, read_grid};
use luthier_recipe::OnError;
use miette::Diagnostic;
use proptest::prelude::*;

const FLATS: &str = "area,district,rent\n40,north,500\n80,south,700\n60,north,610\n";

fn options(target: &str) -> GridOptions {
    GridOptions {
        format: TableFormat::Csv,
        header: None,
        targets: vec![Column::Name(target.to_owned())],
        target_kind: Kind::Numbers,
        features: Features::Others,
        on_error: OnError::Fail,
    }
}

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    std::fs::write(&path, text).expect("a file");
    (folder, path)
}

fn read(text: &str, options: &GridOptions) -> Result<Grid, TableError> {
    let (_folder, path) = written(text);
    read_grid(&path, options)
}

fn told(error: &TableError) -> String {
    let name = format!("{error}");
    let short = name.split("table").last().unwrap_or_default().to_owned();
    format!("{short} | {}", error.help().map(|help| help.to_string()).unwrap_or_default())
}

#[test]
fn columns_are_numbers_or_words() {
    let grid = read(FLATS, &options("rent")).expect("a grid");
    assert_eq!(grid.lines, [2, 3, 4]);
    assert!(grid.header);
    assert_eq!(grid.features[0].name, "area");
    assert_eq!(grid.features[0].cells, Cells::Numbers(vec![40.0, 80.0, 60.0]));
    let words = vec!["north".to_owned(), "south".to_owned()];
    assert_eq!(grid.features[1].cells, Cells::Words { words, codes: vec![0, 1, 0] });
    assert_eq!(grid.targets[0].cells, Cells::Numbers(vec![500.0, 700.0, 610.0]));
}

#[test]
fn every_format_gives_the_same_columns() {
    let csv = read(FLATS, &options("rent")).expect("a grid");
    let tsv = GridOptions { format: TableFormat::Tsv, ..options("rent") };
    let tsv = read(&FLATS.replace(',', "\t"), &tsv).expect("a grid");
    let jsonl: String = FLATS
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{{\"area\":{},\"district\":\"{}\",\"rent\":\"{}\"}}\n", cells[0], cells[1], cells[2])
        })
        .collect();
    let jsonl = read(&jsonl, &GridOptions { format: TableFormat::Jsonl, ..options("rent") }).expect("a grid");
    for other in [tsv, jsonl] {
        assert_eq!((&other.features, &other.targets), (&csv.features, &csv.targets));
    }
}

#[test]
fn classes_are_words_whatever_they_look_like() {
    let classes = GridOptions { target_kind: Kind::Words, ..options("y") };
    let grid = read("x,y\n1,10\n2,9\n3,10\n", &classes).expect("a grid");
    let words = vec!["9".to_owned(), "10".to_owned()];
    assert_eq!(grid.targets[0].cells, Cells::Words { words, codes: vec![1, 0, 1] });
}

#[test]
fn a_file_without_names_has_numbered_columns() {
    let by_number = GridOptions { targets: vec![Column::Index(2)], target_kind: Kind::Words, ..options("") };
    let grid = read("5.1,3.5,setosa\n6.2,2.9,virginica\n", &by_number).expect("a grid");
    assert_eq!((grid.header, grid.lines.len()), (false, 2));
    assert_eq!(grid.features.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["0", "1"]);
    // a first line without a number is one of names
    assert!(read("a,b,c\n1,2,x\n", &by_number).expect("a grid").header);
    let said = GridOptions { header: Some(false), ..options("rent") };
    assert!(told(&read(FLATS, &said).expect_err("names without names")).contains("number the columns"));
}

#[test]
fn features_come_in_the_order_they_are_named() {
    let named = |names: &[&str]| {
        let columns = names.iter().map(|name| (Column::Name((*name).to_owned()), None));
        GridOptions { features: Features::These(columns.collect()), ..options("rent") }
    };
    let grid = read(FLATS, &named(&["district", "area"])).expect("a grid");
    assert_eq!(grid.features.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["district", "area"]);
    let error = read(FLATS, &named(&["arae"])).expect_err("no such column");
    assert!(
        told(&error).contains("no column `arae` for the features | did you mean `area`?"),
        "{}",
        told(&error)
    );
}

/// What is in the file, and what is said about it: message and hint.
const BAD: &[(&str, &str, &str)] = &[
    ("area,rent\n40,500\n,600\n", ":3`: the cell in the column `area` is empty", "on_error"),
    ("area,rent\n40,500\n60,\n", ":3`: the cell in the column `rent` is empty", "on_error"),
    (
        "area,rent\n40,500\nnan,600\n",
        ":3`: the cell in the column `area` is empty or not a number",
        "on_error",
    ),
    ("area,rent\n40,500\ninf,600\n", ":3`: the cell in the column `area` is inf", "on_error"),
    ("area,rent\n40,500\n?,600\n", ":3`: the cell in the column `area` is empty", "on_error"),
    (
        "area,rent\n40,500\nbig,600\n70,1\n",
        "`area` is `big`, and most of the column are numbers",
        "data.features",
    ),
    (
        "area,rent\nbig,500\nbig,600\n70,1\n",
        "`area` is 70, and most of the column are words",
        "data.features",
    ),
    ("area,rent\n40,500\n60,dear\n", "`rent` is `dear`, and the column must be numbers", "mend"),
    ("area,rent\n40,500\n60\n", ":3` has 1 field, so there is no value in column 1", "mend"),
    ("area,rent\n40,500\n60,600,7\n", ":3` has 3 fields, and the first line has 2", "mend"),
    ("area,rents\n40,500\n", "no column `rent` for the target", "did you mean `rents`?"),
    ("area,rent\n", "has no rows", ""),
    ("", "has no rows", ""),
];

#[test]
fn bad_cells_are_told_by_line_and_column() {
    for (text, message, hint) in BAD {
        let error = read(text, &options("rent")).expect_err(text);
        assert!(told(&error).contains(message) && told(&error).contains(hint), "{text}: {}", told(&error));
    }
}

#[test]
fn skipped_rows_are_counted_and_named() {
    let skip = GridOptions { on_error: OnError::Skip, ..options("rent") };
    let text = "area,rent\n40,500\n,600\n60,x\n70\n80,900\n";
    let grid = read(text, &skip).expect("a grid");
    assert_eq!(grid.lines, [2, 6]);
    assert_eq!(grid.features[0].cells, Cells::Numbers(vec![40.0, 80.0]));
    assert_eq!(grid.skipped.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5]);
    assert!(grid.skipped[0].1.contains("column `area` that is empty"), "{:?}", grid.skipped);
    let error = read("area,rent\n,1\n,2\n", &skip).expect_err("nothing is left");
    assert!(told(&error).contains("can be used") && told(&error).contains("2 rows"), "{}", told(&error));
}

#[test]
fn a_word_of_skipped_rows_alone_is_no_word() {
    let skip = GridOptions { on_error: OnError::Skip, target_kind: Kind::Words, ..options("y") };
    let grid = read("x,y\n1,a\nzzz,b\n3,c\n4,a\n", &skip).expect("a grid");
    let words = vec!["a".to_owned(), "c".to_owned()];
    assert_eq!(grid.targets[0].cells, Cells::Words { words, codes: vec![0, 1, 0] });
}

#[test]
fn kept_cells_are_not_numbers() {
    let keep = GridOptions { on_error: OnError::Keep, ..options("rent") };
    let grid = read("area,rent\n40,500\nnan,600\n,7\n", &keep).expect("a grid");
    let Cells::Numbers(numbers) = &grid.features[0].cells else { panic!("words") };
    assert!(numbers[0] == 40.0 && numbers[1].is_nan() && numbers[2].is_nan());
    assert!(read("area,rent\n40,500\n1,nan\n", &keep).is_err(), "a target must be a number");
}

proptest! {
    /// Numbers come back as they were written, whatever the format.
    #[test]
    fn numbers_are_read_to_the_last_bit(rows in prop::collection::vec((-1e300..1e300_f64, -1e-300..1e-300_f64), 1..20)) {
        let mut csv = String::from("x,y\n");
        let mut jsonl = String::new();
        for (x, y) in &rows {
            csv.push_str(&format!("{x:?},{y:?}\n"));
            jsonl.push_str(&format!("{{\"x\":{x:?},\"y\":{y:?}}}\n"));
        }
        for (text, format) in [(csv, TableFormat::Csv), (jsonl, TableFormat::Jsonl)] {
            let grid = read(&text, &GridOptions { format, ..options("y") }).expect("a grid");
            prop_assert_eq!(&grid.features[0].cells, &Cells::Numbers(rows.iter().map(|row| row.0).collect()));
            prop_assert_eq!(&grid.targets[0].cells, &Cells::Numbers(rows.iter().map(|row| row.1).collect()));
        }
    }

    /// Any bytes at all are read or refused.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), skip in any::<bool>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("table");
        std::fs::write(&path, &bytes).expect("a file");
        for format in [TableFormat::Csv, TableFormat::Tsv, TableFormat::Jsonl, TableFormat::Parquet] {
            let on_error = if skip { OnError::Skip } else { OnError::Fail };
            let target = if format == TableFormat::Jsonl { Column::Name("a".into()) } else { Column::Index(0) };
            let options = GridOptions { format, on_error, targets: vec![target], target_kind: Kind::Words, ..options("") };
            if let Ok(grid) = read_grid(&path, &options) {
                prop_assert!(!grid.lines.is_empty());
            }
        }
    }
}
