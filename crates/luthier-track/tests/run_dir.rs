//! The folder: made, refused, opened, torn.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::fs;
use std::path::Path;

use common::{RECIPE, Shape};
use luthier_track::{RunDir, TrackError, write_atomic};
use miette::Diagnostic;

fn message(error: &TrackError) -> String {
    format!("{error} | {}", error.help().map(|help| help.to_string()).unwrap_or_default())
}

fn whole_run(parent: &Path) -> RunDir {
    let run = RunDir::create(parent, "ants-bees").unwrap();
    run.write_recipe(RECIPE).unwrap();
    run.write_plan(&Shape::default().plan()).unwrap();
    run
}

#[test]
fn a_run_is_named_after_the_recipe_and_the_clock() {
    let parent = tempfile::tempdir().unwrap();
    let first = RunDir::create(&parent.path().join("runs"), "ants-bees").unwrap();
    let name = first.name();
    let digits = name.strip_prefix("ants-bees-").unwrap();
    let shape: String = digits.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "99999999-999999", "{name}");
    // several in one second: none is lost
    let others: Vec<_> =
        (0..3).map(|_| RunDir::create(&parent.path().join("runs"), "ants-bees").unwrap()).collect();
    assert!(others.iter().all(|other| other != &first));
    assert_eq!(fs::read_dir(parent.path().join("runs")).unwrap().count(), 4);
}

#[test]
fn a_hostile_name_stays_below_its_parent() {
    for (name, start, why) in [
        ("../../etc/passwd", "etc-passwd-", "no way up"),
        ("/absolute", "absolute-", "join would forget the parent"),
        ("..", "run-", "nothing is left"),
        ("", "run-", "nothing to begin with"),
        ("a b\n\0c", "a-b--c-", "spaces and control characters"),
        ("蚂蚁", "蚂蚁-", "letters of any script are fine"),
    ] {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDir::create(parent.path(), name).unwrap();
        assert_eq!(run.path().parent(), Some(parent.path()), "{name}: {why}");
        assert!(run.name().starts_with(start), "{name}: {why}: {}", run.name());
    }
}

#[test]
fn an_exact_folder_is_taken_only_when_empty() {
    let parent = tempfile::tempdir().unwrap();
    let out = parent.path().join("deep/below");
    RunDir::create_at(&out).unwrap();
    let error = RunDir::create_at(&out).unwrap_err();
    let text = message(&error);
    assert!(text.contains("deep/below` is not empty"), "{text}");
    assert!(text.contains("--resume") && text.contains("--out"), "{text}");
}

#[test]
fn a_path_below_a_file_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let text = message(&RunDir::create_at(&path).unwrap_err());
        assert!(
            text.starts_with("cannot create `") && text.contains("a part of the path is a file"),
            "{text}"
        );
    }
    let text = message(&RunDir::create(&file, "x").unwrap_err());
    assert!(text.starts_with("cannot create `"), "{text}");
    let text = message(&write_atomic(&file.join("plan.json"), b"{}").unwrap_err());
    assert!(text.starts_with("cannot write `") && text.contains("plan.json"), "{text}");
}

#[test]
fn a_run_that_cannot_be_begun_leaves_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("run");
    let run = RunDir::create_at(&path).unwrap();
    // a plan cannot replace a folder
    fs::create_dir_all(run.plan_path().join("below")).unwrap();
    let text = message(&run.begin(RECIPE, &Shape::default().plan()).unwrap_err());
    assert!(text.starts_with("cannot write `") && text.contains("plan.json"), "{text}");
    assert!(!path.exists());

    let run = RunDir::create_at(&path).unwrap().begin(RECIPE, &Shape::default().plan()).unwrap();
    assert_eq!(RunDir::open(&path).unwrap(), run);
}

#[test]
fn opening_says_what_is_missing() {
    let parent = tempfile::tempdir().unwrap();
    let run = whole_run(parent.path());
    assert_eq!(RunDir::open(run.path()).unwrap(), run);
    assert_eq!(RunDir::open(run.path()).unwrap().plan().unwrap(), Shape::default().plan());
    assert_eq!(run.recipe().unwrap(), RECIPE);

    let plan = fs::read(run.plan_path()).unwrap();
    fs::write(run.plan_path(), &plan[..plan.len() / 2]).unwrap();
    let text = message(&RunDir::open(run.path()).unwrap_err());
    assert!(text.contains("plan.json` is not a whole plan: EOF"), "{text}");

    fs::remove_file(run.plan_path()).unwrap();
    let text = message(&RunDir::open(run.path()).unwrap_err());
    assert!(text.contains("is not a run directory: `plan.json` is missing"), "{text}");

    fs::remove_file(run.recipe_path()).unwrap();
    let text = message(&RunDir::open(run.path()).unwrap_err());
    assert!(text.contains("is not a run directory: `recipe.toml` is missing"), "{text}");

    let text = message(&RunDir::open(&parent.path().join("nowhere")).unwrap_err());
    assert!(text.starts_with("cannot open `") && text.contains("check the path"), "{text}");
}

#[test]
fn a_copy_works_elsewhere() {
    let parent = tempfile::tempdir().unwrap();
    let run = whole_run(parent.path());
    let moved = parent.path().join("moved");
    let here = run.path().to_string_lossy().into_owned();
    for file in [run.plan_path(), run.recipe_path()] {
        assert!(!fs::read_to_string(&file).unwrap().contains(&here), "{file:?} knows where it is");
    }
    fs::rename(run.path(), &moved).unwrap();
    assert_eq!(RunDir::open(&moved).unwrap().plan().unwrap(), Shape::default().plan());
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    write_atomic(&path, b"old").unwrap();
    write_atomic(&path, b"new and longer").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new and longer");
    // nothing temporary stays behind, not after a failure either
    fs::create_dir(folder.path().join("taken")).unwrap();
    assert!(write_atomic(&folder.path().join("taken"), b"x").is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_ne!(mode & 0o044, 0, "others may read what the umask lets them read: {mode:o}");
    }
}
