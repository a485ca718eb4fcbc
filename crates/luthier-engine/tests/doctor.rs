//! `luthier doctor` on what is not as it should be: it says what it could not see, and judges the rest.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;

use common::{fine, run, stderr, workspace};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a small table, a recipe, and a finished run of it in `run`: 30 updates in two epochs.
fn trained() -> TempDir {
    let folder = table();
    fine(folder.path(), &["train", "rent.toml", "--set", "train.epochs=2", "--out", "run", "-q"]);
    folder
}

fn table() -> TempDir {
    let folder = TempDir::new().unwrap();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/table");
    for name in ["flats.csv", "rent.toml"] {
        fs::copy(recipes.join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// The verdict, and the exit code, which is 1 exactly where the status is `sick`.
fn verdict(folder: &Path, words: &[&str]) -> Value {
    let output = run(folder, &[&["doctor", "--json"], words].concat());
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", stderr(&output)));
    let sick = told["status"] == "sick";
    assert_eq!(output.status.code(), Some(i32::from(sick)), "{told}");
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    told
}

fn unseen(verdict: &Value) -> String {
    let all = verdict["unseen"].as_array().into_iter().flatten();
    all.map(|sentence| sentence.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

fn codes(verdict: &Value) -> Vec<&str> {
    verdict["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// Lines of the metrics of `run`, changed and written back.
fn change(folder: &Path, with: impl Fn(String) -> String) {
    let path = folder.join("run/metrics.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, with(text)).unwrap();
}

#[test]
fn a_run_that_is_whole_has_nothing_unseen_but_that_it_is_short() {
    let folder = trained();
    let told = verdict(folder.path(), &["run"]);
    assert_eq!((&told["subject"], unseen(&told)), (&"run".into(), String::new()), "{told}");
}

#[test]
fn a_run_cut_off_in_the_middle_of_a_line() {
    let folder = trained();
    let lines = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap().lines().count();
    change(folder.path(), |text| text[..text.len() - 9].to_owned());
    let monitor = folder.path().join("run/monitor.jsonl");
    let text = fs::read_to_string(&monitor).unwrap();
    fs::write(&monitor, &text[..text.len() - 9]).unwrap();
    let told = verdict(folder.path(), &["run", "--static"]);
    let said = unseen(&told);
    assert!(said.contains(&format!("line {lines} of `metrics.jsonl` is cut off")), "{said}");
    assert!(said.contains("of `monitor.jsonl` is cut off"), "{said}");
    // its last line was that it had finished
    assert!(codes(&told).contains(&"LOO101"), "{told}");
    let page = run(folder.path(), &["doctor", "run", "--static"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("is cut off"));
}

#[test]
fn a_line_in_the_middle_that_is_garbled_is_named() {
    let folder = trained();
    change(folder.path(), |text| text.replacen("\"update\":7,", "\"update\":x,", 1));
    let output = run(folder.path(), &["doctor", "run", "--static"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: ") && said.contains("metrics.jsonl") && said.contains("line"), "{said}");
}

#[test]
fn metrics_with_gaps() {
    let folder = trained();
    change(folder.path(), |text| {
        let lost =
            |line: &&str| (11..=20).any(|n| line.contains(&format!("\"event\":\"step\",\"update\":{n},")));
        text.lines().filter(|line| !lost(line)).map(|line| format!("{line}\n")).collect()
    });
    let told = verdict(folder.path(), &["run", "--static"]);
    assert!(unseen(&told).contains("updates 11 to 20 are missing"), "{told}");
}

#[test]
fn checkpoints_metrics_and_data_that_are_not_there() {
    let folder = trained();
    let at = folder.path();
    fs::remove_dir_all(at.join("run/checkpoints")).unwrap();
    fs::remove_file(at.join("flats.csv")).unwrap();
    // the live model as well: its data are gone, and the run is no worse for it
    let told = verdict(at, &["run"]);
    let said = unseen(&told);
    assert!(said.contains("there is no checkpoint"), "{said}");
    assert!(said.contains("the live model was not measured") && said.contains("flats.csv"), "{said}");
    assert!(!codes(&told).contains(&"PLN001"), "{told}");
    fs::remove_file(at.join("run/metrics.jsonl")).unwrap();
    let told = verdict(at, &["run", "--static"]);
    assert!(unseen(&told).contains("the run has 0 updates"), "{told}");
}

#[test]
fn a_run_of_one_update_without_validation() {
    let folder = table();
    let recipe = fs::read_to_string(folder.path().join("rent.toml")).unwrap();
    let split = "split = { valid = 0.2 }";
    assert!(recipe.contains(split));
    fs::write(folder.path().join("one.toml"), recipe.replace(split, "").replace("path =", "train ="))
        .unwrap();
    let sets = ["--set", "train.epochs=1", "--set", "train.batch_size=1200", "--out", "run", "-q"];
    fine(folder.path(), &[&["train", "one.toml"][..], &sets].concat());
    let told = verdict(folder.path(), &["run", "--budget", "20s"]);
    let said = unseen(&told);
    assert!(said.contains("the run has 1 update") && said.contains("never evaluated"), "{said}");
    assert!(codes(&told).contains(&"EVA001"), "{told}");
}

#[test]
fn a_recipe_that_cannot_be_resolved_is_judged_as_far_as_it_goes() {
    let folder = table();
    let told = verdict(folder.path(), &["rent.toml", "--set", "data.path=nowhere.csv"]);
    assert_eq!((codes(&told), &told["findings"][0]["category"]), (vec!["PLN001"], &"data".into()), "{told}");
    assert!(unseen(&told).contains("nothing that the plan would say"), "{told}");

    // of weights that are not there, all but the weights is judged, as of weights that were trained before
    let folder = workspace();
    let told = verdict(folder.path(), &["recipe.toml", "--set", "model.weights=nowhere.pth"]);
    let all = codes(&told);
    assert!(all.contains(&"PLN001") && all.contains(&"FIN005"), "{told}");
    assert!(!all.contains(&"FIN001") && !all.contains(&"FIN002"), "{told}");
    let first =
        told["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "PLN001").unwrap();
    assert_eq!(
        (&first["where"], &first["category"]),
        (&"model.weights".into(), &"finetune".into()),
        "{told}"
    );
    assert!(unseen(&told).contains("the weights were not read"), "{told}");
}

#[test]
fn a_recipe_that_is_not_well_written_is_refused_at_its_place() {
    let folder = table();
    let recipe = fs::read_to_string(folder.path().join("rent.toml")).unwrap();
    fs::write(folder.path().join("typo.toml"), recipe.replace("epochs =", "epoch =")).unwrap();
    let output = run(folder.path(), &["doctor", "typo.toml"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("typo.toml:") && said.contains("did you mean `epochs`"), "{said}");
    let output = run(folder.path(), &["doctor", "nowhere"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}
