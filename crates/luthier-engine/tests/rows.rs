//! Tables of numbers and words on the built program: check, train, evaluate, predict, export, go on after a stop.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;

use common::{fine, run, stderr};
use serde_json::Value;
use tempfile::TempDir;

/// The recipes of `recipes/table` in a folder of their own.
fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/table");
    for name in ["flats.csv", "rent.toml", "kind.toml"] {
        fs::copy(recipes.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_regression_is_checked_trained_evaluated_and_asked() {
    let folder = workspace();
    let at = folder.path();
    let page = fine(at, &["check", "rent.toml"]);
    for part in [
        "5 feature columns, 8 numbers for the model",
        "centre, north, river, south",
        "(target)",
        "best by R²",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    fine(at, &["train", "rent.toml", "--set", "train.epochs=15", "--out", "run"]);
    let told = json(&fine(at, &["eval", "run", "--json"]));
    assert!(told["r2"].as_f64().unwrap() > 0.9 && told["mae"].as_f64().unwrap() < 120.0, "{told}");
    assert_eq!((&told["count"], &told["targets"]), (&Value::from(240), &serde_json::json!(["rent"])));
    assert!(fine(at, &["eval", "run"]).contains("mean absolute error"));

    // the target is not needed, other columns are in the way of nobody, and a bad row is left out
    let new = "height,extra,district,year,floor,area\n2.5,x,north,1980,3,60\n2.5,x,north,,3,60\n";
    fs::write(at.join("new.csv"), new).unwrap();
    let rows = json(&fine(at, &["predict", "run", "new.csv", "--json"]));
    let rent = rows[0]["values"]["rent"].as_f64().unwrap();
    assert!((rent - (9.5 * 60.0 * 0.92 + 36.0)).abs() < 120.0, "{rows}");
    assert!(rows[1]["error"].as_str().unwrap().contains("column `year`"), "{rows}");
    fs::write(at.join("short.csv"), "area\n60\n").unwrap();
    let refused = run(at, &["predict", "run", "short.csv"]);
    assert!(
        !refused.status.success() && stderr(&refused).contains("no column `year`"),
        "{}",
        stderr(&refused)
    );

    let metrics = fs::read_to_string(at.join("run/metrics.jsonl")).unwrap();
    assert!(!metrics.contains("accuracy") && metrics.contains("\"r2\":"));
    let report = fs::read_to_string(at.join("run/report.html")).unwrap();
    assert!(
        report.contains("R²") && !report.contains("Confusion") && !report.contains("validation accuracy")
    );
    assert!(at.join("run/plots/r2.png").exists() && !at.join("run/plots/accuracy.png").exists());
    fine(at, &["export", "run", "--to", "safetensors", "out"]);
    let table = json(&fs::read_to_string(at.join("out/table.json")).unwrap());
    assert_eq!(table["features"][0]["name"], "area");
}

#[test]
fn a_classification_is_trained_evaluated_and_asked() {
    let folder = workspace();
    let at = folder.path();
    fine(at, &["train", "kind.toml", "--set", "train.epochs=10", "--out", "run"]);
    let told = json(&fine(at, &["eval", "run", "--json"]));
    assert!(told["accuracy"].as_f64().unwrap() > 0.8, "{told}");
    assert_eq!(told["classes"], serde_json::json!(["family", "loft", "studio"]));
    let rows = json(&fine(at, &["predict", "run", "flats.csv", "--json", "--top", "1"]));
    assert_eq!(rows.as_array().unwrap().len(), 1200);
    assert_eq!(rows[0]["line"], 2);
    let metrics = fs::read_to_string(at.join("run/metrics.jsonl")).unwrap();
    assert!(metrics.contains("\"accuracy\":") && !metrics.contains("\"r2\":"));
}

#[test]
fn an_interrupted_run_goes_on_as_if_it_had_not_been() {
    let folder = workspace();
    let at = folder.path();
    let sets = [
        "--set",
        "train.epochs=4",
        "--set",
        "model.layers=[{ linear = 8 }, { dropout = 0.2 }, { linear = 1 }]",
    ];
    fine(at, &[&["train", "rent.toml", "--out", "whole"][..], &sets].concat());
    fine(at, &[&["train", "rent.toml", "--out", "parts"][..], &sets].concat());
    // as if it had been killed before its last checkpoint was whole
    fs::remove_file(at.join("parts/checkpoints/step-00000120/state.json")).unwrap();
    fine(at, &["train", "--resume", "parts"]);
    let read = |run: &str| fs::read_to_string(at.join(run).join("metrics.jsonl")).unwrap();
    assert_eq!(read("whole"), read("parts"));
}

#[test]
fn what_does_not_fit_is_told_where_the_recipe_says_it() {
    let folder = workspace();
    let at = folder.path();
    let recipe = fs::read_to_string(at.join("rent.toml")).unwrap();
    fs::write(at.join("wide.toml"), recipe.replace("linear = \"targets\"", "linear = 7")).unwrap();
    let refused = run(at, &["check", "wide.toml"]);
    let said = stderr(&refused);
    assert!(said.contains("wide.toml:21:3: the model gives 7 numbers for 1 target column"), "{said}");
    fs::write(at.join("none.toml"), recipe.replace("target = \"rent\"", "target = \"rnet\"")).unwrap();
    let said = stderr(&run(at, &["check", "none.toml"]));
    assert!(
        said.contains("no column `rnet` for the target") && said.contains("did you mean `rent`?"),
        "{said}"
    );
}

#[test]
fn a_recipe_is_trained_with_and_without_a_change_into_one_picture() {
    let folder = workspace();
    let at = folder.path();
    let common =
        ["compare", "--train", "kind.toml", "--set", "train.epochs=2", "--vary", "optim.lr=1e-6; seed=3"];
    fs::write(at.join("file"), "").unwrap();
    // a slip in the last arm, or a picture that has no place, is told before anything is trained
    for (more, says) in
        [(["--vary", "optim.rl=1"], "did you mean"), (["--out", "file/curves.png"], "cannot make the folder")]
    {
        let output = run(at, &[&common[..], &more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
        assert!(!at.join("runs").exists(), "{says}: something was trained");
    }

    let told = fine(at, &[&common[..], &["--out", "new/curves.png"]].concat());
    assert_eq!(fs::read_dir(at.join("runs")).unwrap().count(), 2);
    // what the two differ in, and nothing else
    assert!(told.contains("optim.lr") && told.contains("seed") && !told.contains("batch_size"), "{told}");
    // the runs are named after the clock; the legend says which is which
    let picture = fs::read_to_string(at.join("new/curves.svg")).unwrap();
    assert!(picture.contains("seed 3") && picture.contains("seed 42") && !picture.contains(">kind-"));
    for ending in ["png", "svg", "pdf"] {
        assert!(fs::metadata(at.join(format!("new/curves.{ending}"))).unwrap().len() > 1000, "{ending}");
    }
}
