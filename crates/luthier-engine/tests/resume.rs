//! A run killed at any moment, by SIGKILL, and resumed is the run that was never interrupted, to the last bit.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{engine, fine, newest, workspace};

/// What a run leaves that must not depend on interruptions.
fn left(run: &Path) -> Vec<(String, Vec<u8>)> {
    let last = newest(run);
    let mut files = vec![("metrics.jsonl".to_string(), std::fs::read(run.join("metrics.jsonl")).unwrap())];
    for name in ["model.safetensors", "optimizer.safetensors", "ema.safetensors"] {
        files.push((name.into(), std::fs::read(last.join(name)).unwrap()));
    }
    files
}

#[test]
fn killed_anywhere_and_resumed_is_never_interrupted() {
    let folder = workspace();
    let folder = folder.path();
    let common = [
        "--set",
        "train.epochs=3",
        "--set",
        "train.ema={ decay = 0.9 }",
        // a checkpoint after every update: many of the kills fall into the writing of one
        "--set",
        "train.checkpoint={ every = { steps = 1 }, keep = 2 }",
        "--set",
        "eval.every={ steps = 2 }",
        "--threads",
        "1",
        "-q",
    ];
    let begin = Instant::now();
    fine(folder, &[&["train", "recipe.toml", "--out", "whole"][..], &common].concat());
    let whole = begin.elapsed();
    let expected = left(&folder.join("whole"));

    // spread over the run and a little at random: the clock is the randomness
    let jitter = u64::from(begin.elapsed().subsec_nanos()) % 97;
    for (round, share) in [0.25, 0.45, 0.6, 0.75, 0.9].into_iter().enumerate() {
        let run = format!("killed-{round}");
        let mut kills = 0;
        let mut words = [&["train", "recipe.toml", "--out", &run][..], &common].concat();
        loop {
            let mut child =
                engine(folder, &words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // the first time, and once more: a run can be killed twice
            if kills < 2 {
                let moment = whole.mul_f64(share / f64::from(kills + 1)) + Duration::from_millis(jitter * 3);
                std::thread::sleep(moment);
                child.kill().unwrap();
                kills += 1;
            }
            let status = child.wait().unwrap();
            if status.success() {
                break;
            }
            assert!(kills <= 2, "the resumed run failed by itself: {status}");
            // killed before the run directory was whole: there is nothing to resume
            if folder.join(&run).join("plan.json").exists() {
                words = vec!["train", "--resume", &run, "--threads", "1", "-q"];
            } else {
                let _ = std::fs::remove_dir_all(folder.join(&run));
            }
        }
        for ((name, bytes), (_, wanted)) in left(&folder.join(&run)).iter().zip(&expected) {
            assert!(bytes == wanted, "`{name}` differs after kills at {share} of the run (jitter {jitter})");
        }
    }
}

#[test]
fn ctrl_c_saves_and_leaves_and_says_how_to_go_on() {
    let folder = workspace();
    let folder = folder.path();
    let words = ["train", "recipe.toml", "--out", "run", "--set", "train.epochs=200", "--threads", "1"];
    let mut child = engine(folder, &words).stderr(Stdio::piped()).spawn().unwrap();
    // after the first update there is something to save
    let began = Instant::now();
    while std::fs::metadata(folder.join("run/timing.jsonl")).map_or(0, |file| file.len()) < 300 {
        assert!(began.elapsed() < Duration::from_secs(120), "no update in two minutes");
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let status = child.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("luthier train --resume run"), "{said}");
    assert!(newest(&folder.join("run")).join("state.json").exists());
}

#[test]
fn a_changed_recipe_is_not_resumed() {
    let folder = workspace();
    let folder = folder.path();
    fine(folder, &["train", "recipe.toml", "--out", "run", "--set", "train.epochs=1", "-q"]);
    let output = common::run(folder, &["train", "recipe.toml", "--resume", "run", "--set", "optim.lr=0.5"]);
    let said = common::stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("optim.lr") && said.contains("0.01") && said.contains("0.5"), "{said}");
}
