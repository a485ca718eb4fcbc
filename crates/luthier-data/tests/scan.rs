//! A scan counts what is there, names what is broken, and finds what is there twice.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

use std::path::Path;

use luthier_data::{
    Limits,
    picture::decode_file,
    scan::{Layout, contact_sheet, scan},
};

mod common;

fn put(root: &Path, files: &[(&str, &str)]) {
    for (path, fixture) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(
            path,
            if fixture.is_empty() { vec![] } else { common::fixture(&format!("pictures/{fixture}")) },
        )
        .unwrap();
    }
}

#[test]
fn splits_classes_sizes_and_formats_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    put(
        dir.path(),
        &[
            ("test/bees/1.png", "la.png"),
            ("train/ants/1.jpg", "baseline-420.jpg"),
            ("train/ants/2.jpg", "exif-6.jpg"),
            ("train/ants/3.jpg", "cmyk.jpg"),
            ("train/bees/1.png", "rgba.png"),
            ("train/bees/2.gif", "still.gif"),
            ("val/ants/1.webp", "lossy.webp"),
            ("val/wasps/1.bmp", "rgb.bmp"),
        ],
    );
    let report = scan(dir.path(), Limits::default()).unwrap();
    assert_eq!(report.layout, Layout::Splits);
    assert_eq!(report.classes, ["ants", "bees", "wasps"]);
    let splits: Vec<(&str, Vec<usize>)> = report
        .splits
        .iter()
        .map(|s| (s.name.as_str(), s.classes.iter().map(|c| c.pictures).collect()))
        .collect();
    assert_eq!(splits, [("train", vec![3, 2]), ("val", vec![1, 1]), ("test", vec![1])]);
    assert_eq!(report.splits[0].imbalance, Some(1.5));
    assert_eq!(report.pictures, 8);
    let sizes = report.sizes.unwrap();
    assert_eq!((sizes.width.min, sizes.width.median, sizes.width.max), (43, 61, 61), "EXIF applied");
    assert_eq!(report.formats["JPEG RGB"], 2);
    assert_eq!(report.formats["JPEG CMYK"], 1);
    assert_eq!(report.formats["GIF P"], 1);
    assert!(report.broken.is_empty() && report.duplicates.is_empty() && report.placeholders.is_empty());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["splits"][0]["classes"][0], serde_json::json!({"name": "ants", "pictures": 3}));
    assert_eq!(json["layout"], "splits");
}

#[test]
fn twins_leaks_conflicts_and_broken_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    put(
        dir.path(),
        &[
            ("train/ants/a.png", "rgb.png"),
            ("train/ants/b.png", "rgb.png"),
            ("train/bees/c.png", "la.png"),
            ("val/bees/d.png", "la.png"),
            ("train/bees/e.png", "rgba.png"),
            ("val/ants/f.png", "rgba.png"),
            // `bees` is the second class of one split and the only one of the other: no conflict
            ("train/bees/h.png", "palette.png"),
            ("test/bees/g.png", "palette.png"),
            ("train/ants/empty.png", ""),
            ("val/bees/empty.png", ""),
            ("train/bees/not_found.png", "one-bit.png"),
        ],
    );
    std::fs::write(dir.path().join("val/bees/page.jpg"), "<html>404</html>").unwrap();
    let report = scan(dir.path(), Limits::default()).unwrap();
    let groups: Vec<(Vec<&str>, bool, bool)> = report
        .duplicates
        .iter()
        .map(|d| (d.paths.iter().map(String::as_str).collect(), d.across_splits, d.conflicting_labels))
        .collect();
    assert_eq!(
        groups,
        [
            (vec!["train/ants/a.png", "train/ants/b.png"], false, false),
            (vec!["train/bees/c.png", "val/bees/d.png"], true, false),
            (vec!["train/bees/e.png", "val/ants/f.png"], true, true),
            (vec!["train/bees/h.png", "test/bees/g.png"], true, false),
        ]
    );
    let broken: Vec<&str> = report.broken.iter().map(|b| b.path.as_str()).collect();
    assert_eq!(broken, ["train/ants/empty.png", "val/bees/empty.png", "val/bees/page.jpg"]);
    assert!(report.broken[2].reason.starts_with("is not a picture"));
    assert_eq!(report.placeholders, ["train/bees/not_found.png"]);
}

#[test]
fn a_class_may_be_called_test_and_a_folder_may_be_no_data_set() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &[("test/a.png", "rgb.png"), ("control/b.png", "la.png")]);
    let report = scan(dir.path(), Limits::default()).unwrap();
    assert_eq!(
        (report.layout, report.classes),
        (Layout::Classes, vec!["control".to_owned(), "test".to_owned()])
    );
    assert!(scan(&dir.path().join("test"), Limits::default()).is_err());
    assert!(scan(&dir.path().join("nowhere"), Limits::default()).is_err());
}

#[test]
fn the_contact_sheet_shows_rows_of_eight_and_replaces_nothing_on_failure() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["ants", "bees", "c", "d", "e", "f", "g", "h", "i"] {
        for i in 0..9 {
            put(dir.path(), &[(&format!("{class}/{i}.png"), "rgb.png")]);
        }
    }
    let out = dir.path().join("sheet.png");
    contact_sheet(&scan(dir.path(), Limits::default()).unwrap(), &out, Limits::default()).unwrap();
    let sheet = decode_file(&out, Limits::default()).unwrap();
    assert_eq!((sheet.width, sheet.height), (8 + 8 * 168, 8 + 8 * 212));

    let empty = tempfile::tempdir().unwrap();
    put(empty.path(), &[("ants/1.png", "")]);
    let nothing = scan(empty.path(), Limits::default()).unwrap();
    assert!(nothing.sizes.is_none());
    assert!(contact_sheet(&nothing, &out, Limits::default()).is_err());
    let report = scan(dir.path(), Limits::default()).unwrap();
    let error = contact_sheet(&report, Path::new("no/such/folder/x.png"), Limits::default()).unwrap_err();
    assert!(error.to_string().starts_with("can't write the contact sheet `no/such/folder/x.png`"), "{error}");
}

#[test]
fn the_real_photos_are_scanned() {
    let Some(data) = common::shared_data() else { return };
    let report = scan(&data.join("ants-bees"), Limits::default()).unwrap();
    assert_eq!(report.pictures, 245);
    assert_eq!(report.splits[0].classes.iter().map(|c| c.pictures).collect::<Vec<_>>(), [124, 121]);
    assert_eq!(report.placeholders, ["train/ants/imageNotFound.gif"]);
    assert_eq!(report.broken, []);
    let dir = tempfile::tempdir().unwrap();
    let out = std::env::var_os("KEEP_SHEET").map_or(dir.path().join("sheet.png"), Into::into);
    contact_sheet(&report, &out, Limits::default()).unwrap();
    let sheet = decode_file(&out, Limits::default()).unwrap();
    assert_eq!((sheet.width, sheet.height), (8 + 8 * 168, 8 + 2 * 212), "two classes, two rows");
}
