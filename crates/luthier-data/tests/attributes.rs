//! Further labels of pictures.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::fs;

use luthier_data::{AttributesError, attributes};
use miette::Diagnostic;
use tempfile::TempDir;

const TABLE: &str = "file,hue,pose,same\ntrain/a.png,0,up,1\ntrain/b.png,3,down,1\nc.png,1,up,1\n";

fn folder(table: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("train")).unwrap();
    fs::write(folder.path().join("attributes.csv"), table).unwrap();
    folder
}

/// Message and hint.
fn told(error: &AttributesError) -> String {
    let text = format!("{error} | {}", error.help().map(|help| help.to_string()).unwrap_or_default());
    match text.find("attributes.csv") {
        Some(at) => format!("`{}", &text[at..]),
        None => text,
    }
}

#[test]
fn numbers_are_classes_and_words_are_sorted() {
    let folder = folder(TABLE);
    let table = attributes(&folder.path().join("attributes.csv")).unwrap();
    assert_eq!(table.columns().collect::<Vec<_>>(), ["hue", "pose", "same"]);
    let hue = table.attribute("hue", None).unwrap();
    assert_eq!(hue.classes, ["0", "1", "2", "3"]);
    assert_eq!(table.attribute("hue", Some(8)).unwrap().classes.len(), 8);
    let pose = table.attribute("pose", None).unwrap();
    assert_eq!(pose.classes, ["down", "up"]);
    let train = folder.path().join("train");
    assert_eq!(table.labels(&hue, &train, ["b.png", "a.png"].into_iter()).unwrap(), [3, 0]);
    assert_eq!(table.labels(&pose, folder.path(), ["c.png", "train/b.png"].into_iter()).unwrap(), [1, 0]);
}

#[test]
fn a_description_names_the_classes() {
    let folder = folder(TABLE);
    let json = r#"{"attributes":[{"name":"hue","classes":5,"names":["red","lime","teal","blue","pink"]}]}"#;
    fs::write(folder.path().join("attributes.json"), json).unwrap();
    let table = attributes(&folder.path().join("attributes.csv")).unwrap();
    assert_eq!(table.attribute("hue", None).unwrap().classes, ["red", "lime", "teal", "blue", "pink"]);
    assert_eq!(table.attribute("hue", Some(4)).unwrap().classes, ["0", "1", "2", "3"]);
    // cells may be the names, and nothing else may
    let cells = |two: [&str; 2]| -> Result<Vec<u32>, String> {
        let table = format!("file,hue\na.png,{}\nb.png,{}\n", two[0], two[1]);
        fs::write(folder.path().join("attributes.csv"), table).unwrap();
        let table = attributes(&folder.path().join("attributes.csv")).unwrap();
        let hue = table.attribute("hue", None).map_err(|error| told(&error))?;
        Ok(table.labels(&hue, folder.path(), ["a.png", "b.png"].into_iter()).unwrap())
    };
    assert_eq!(cells(["lime", "red"]), Ok(vec![1, 0]));
    let refused = cells(["1", "purple"]).unwrap_err();
    let what = "`attributes.csv`, line 3: `hue` is `purple`, which is no class number | `attributes.json` describes 5";
    assert!(refused.starts_with(what), "{refused}");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let folder = folder(TABLE);
    let table = attributes(&folder.path().join("attributes.csv")).unwrap();
    let refused = |column: &str, classes| told(&table.attribute(column, classes).unwrap_err());
    assert_eq!(refused("hues", None), "`attributes.csv` has no column `hues` | did you mean `hue`?");
    assert_eq!(
        refused("file", None),
        "`attributes.csv` has no column `file` | its columns are hue, pose, same"
    );
    assert!(
        refused("same", None).starts_with("`attributes.csv` is `1` for every picture | there is nothing")
    );
    assert_eq!(
        refused("hue", Some(2)),
        "`attributes.csv`, line 3: `hue` is `3`, and there are 2 classes | class numbers go from 0 to 1"
    );
    // in line 3, after two that are right
    let cell = |value: &str, classes| {
        let table = format!("file,hue\na.png,0\nb.png,2\nc.png,{value}\nd.png,{value}\n");
        let folder = self::folder(&table);
        let table = attributes(&folder.path().join("attributes.csv")).unwrap();
        told(&table.attribute("hue", classes).unwrap_err())
    };
    for value in ["-1", "2.5", "nan"] {
        assert_eq!(
            cell(value, None),
            format!(
                "`attributes.csv`, line 4: `hue` is `{value}`, which is no class number | classes are whole numbers from 0, \
                 or words"
            )
        );
        assert!(cell(value, Some(8)).contains("line 4: `hue` is `"), "{}", cell(value, Some(8)));
    }
    assert!(cell("", None).starts_with("`attributes.csv`, line 4: `hue` is empty | give it a value"));
    let many = "`attributes.csv`, line 4: `hue` is `4000000000`, which is no class number | class numbers count from 0, and \
                the table has 4 rows";
    assert_eq!(cell("4000000000", None), many);
    let hue = table.attribute("hue", None).unwrap();
    let none = table.labels(&hue, folder.path(), ["d.png"].into_iter()).unwrap_err();
    assert!(told(&none).starts_with("`attributes.csv` has no row for the picture `d.png`"), "{none}");
    let other = TempDir::new().unwrap();
    let elsewhere = table.labels(&hue, other.path(), ["d.png"].into_iter()).unwrap_err();
    assert!(matches!(elsewhere, AttributesError::Elsewhere { .. }));
}

#[test]
fn a_table_that_is_none_is_refused() {
    let refused = |table: &str| told(&attributes(&folder(table).path().join("attributes.csv")).unwrap_err());
    assert!(refused("picture,hue\na.png,1\n").starts_with("`attributes.csv` has no column `file`"));
    assert!(refused("").contains("has no rows"), "{}", refused(""));
    assert!(refused("file,hue\na.png\n").starts_with("`attributes.csv`, line 2: it has 1 fields"));
    assert!(refused("file,hue\na.png,1\na.png,2\n").contains("line 3: `a.png` is in line 2 already"));
}
