//! Runs on one line each, and side by side.

mod common;
#[path = "common/story.rs"]
mod story;

use std::{
    path::Path,
    process::{Command, Output},
};

use luthier_plan::{Event, Listener};
use luthier_track::{MetricsStream, RunDir};
use tempfile::TempDir;

fn call(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luthier"));
    command.current_dir(folder).args(words).env_remove("CLICOLOR_FORCE").env("TERM", "xterm");
    command.output().expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("answers are UTF-8")
}

/// `runs/low` with the story up to its end, `runs/high` with another rate and killed in the third epoch.
fn two_runs() -> TempDir {
    let folder = TempDir::new().expect("there is a temporary folder");
    for (name, rate, last) in [("low", 0.01, 35), ("high", 0.5, 16)] {
        let mut plan = common::plan();
        plan.recipe.optim.lr = rate;
        let run = RunDir::create_at(&folder.path().join("runs").join(name)).expect("the folder is ours");
        run.write_recipe("").expect("the folder is ours");
        run.write_plan(&plan).expect("the folder is ours");
        let mut stream = MetricsStream::create(&run).expect("the folder is ours");
        for event in story::events(&plan) {
            if matches!(&event, Event::StepEnd(step) if step.at.update > last) {
                break;
            }
            stream.hear(&event).expect("there is room");
        }
    }
    folder
}

#[test]
fn runs_are_listed() {
    let folder = two_runs();
    let output = call(folder.path(), &["runs"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));

    let output = call(folder.path(), &["runs", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("stdout is JSON");
    assert_eq!(said[0]["name"], "high");

    let output = call(folder.path(), &["runs", "elsewhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no folder `elsewhere`"));
}

#[test]
fn runs_stand_side_by_side() {
    let folder = two_runs();
    let output = call(folder.path(), &["compare", "runs/low", "runs/high", "--out", "curves.v1.png"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout));
    for ending in ["svg", "png", "pdf"] {
        assert!(folder.path().join(format!("curves.v1.{ending}")).is_file(), "{ending}");
    }
    let legend = |file: &str| std::fs::read_to_string(folder.path().join(file)).expect("it was drawn");
    assert!(legend("curves.v1.svg").contains(">high, training<"));

    // names that are but dates say nothing; what differs does
    for (name, dated) in [("low", "a-20261126-111412"), ("high", "a-20261126-111412-2")] {
        std::fs::rename(folder.path().join("runs").join(name), folder.path().join(dated)).expect("one disk");
    }
    let words = ["compare", "a-20261126-111412", "a-20261126-111412-2", "--out", "new/dated.svg"];
    let output = call(folder.path(), &words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let dated = legend("new/dated.svg");
    assert!(dated.contains(">optim.lr 0.5, training<") && !dated.contains("a-20261126"));
    for (name, dated) in [("low", "a-20261126-111412"), ("high", "a-20261126-111412-2")] {
        std::fs::rename(folder.path().join(dated), folder.path().join("runs").join(name)).expect("one disk");
    }

    let output = call(folder.path(), &["compare", "runs/low", "runs"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`runs` is not a run directory"), "{}", text(&output.stderr));
    let output = call(folder.path(), &["compare", "runs/low"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("2"), "{}", text(&output.stderr));
}
