//! Several processes go on where they were stopped, and end together.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::rows::{RECIPE, table, workspace};
use common::{engine, fine, newest, run, stderr};

/// Processes of a launcher, by rank.
fn ranks_of(launcher: &Child, count: usize) -> Vec<(u32, String)> {
    let began = Instant::now();
    loop {
        let found = Command::new("pgrep").args(["-P", &launcher.id().to_string()]).output().unwrap();
        let pids = String::from_utf8(found.stdout).unwrap();
        let rank = |pid: &str| {
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let all = String::from_utf8_lossy(&environment).into_owned();
            let rank = all.split('\0').find_map(|pair| pair.strip_prefix("RANK="))?.parse().ok()?;
            Some((rank, pid.to_owned()))
        };
        let mut ranks: Vec<(u32, String)> = pids.lines().filter_map(rank).collect();
        ranks.sort();
        if ranks.len() == count {
            return ranks;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no {count} ranks in two minutes");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

/// A run of many epochs, started in the background, once it has trained a little.
fn begun(at: &Path, words: &[&str]) -> Child {
    let child = engine(at, words).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while fs::metadata(at.join("run/timing.jsonl")).map_or(0, |file| file.len()) < 3000 {
        assert!(began.elapsed() < Duration::from_secs(180), "no update in three minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn ended(mut child: Child) -> (Option<i32>, String, Duration) {
    let began = Instant::now();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    let status = child.wait().unwrap();
    (status.code(), said, began.elapsed())
}

fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn stopped_and_killed_and_resumed_is_never_interrupted() {
    let folder = workspace();
    let at = folder.path();
    let common = [
        "--nproc-per-node",
        "2",
        "--set",
        "train.epochs=150",
        "--set",
        "train.checkpoint={ every = { steps = 7 }, keep = 2 }",
        "--set",
        "train.ema={ decay = 0.9 }",
        "--set",
        "model.layers=[{ linear = 16 }, { act = \"relu\" }, { dropout = 0.2 }, { linear = \"classes\" }]",
        "--threads",
        "1",
    ];
    fine(at, &[&["train", "recipe.toml", "--out", "whole", "-q"][..], &common].concat());
    let child = begun(at, &[&["train", "recipe.toml", "--out", "run"][..], &common].concat());
    kill("-INT", &child.id().to_string());
    let (code, said, _) = ended(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("luthier train --resume run"), "{said}");
    // another number of ranks would make other batches
    let other = run(at, &["train", "--resume", "run", "--nproc-per-node", "3", "-q"]);
    assert_eq!(other.status.code(), Some(2));
    let sentence = "was begun on 2 ranks, and cannot go on with 3 ranks";
    assert!(stderr(&other).contains(sentence), "{}", stderr(&other));
    let alone = run(at, &["train", "--resume", "run", "-q"]);
    assert!(stderr(&alone).contains("cannot go on with 1 rank"), "{}", stderr(&alone));

    // a launcher that is killed leaves nobody behind
    let words = ["train", "--resume", "run", "--nproc-per-node", "2", "--threads", "1", "-q"];
    let child = engine(at, &words).stderr(Stdio::piped()).spawn().unwrap();
    let ranks = ranks_of(&child, 2);
    std::thread::sleep(Duration::from_millis(1500));
    kill("-KILL", &child.id().to_string());
    let _ = ended(child);
    let began = Instant::now();
    while ranks.iter().any(|(_, pid)| alive(pid)) {
        assert!(began.elapsed() < Duration::from_secs(10), "ranks live on");
        std::thread::sleep(Duration::from_millis(50));
    }
    fine(at, &words);
    let metrics = |run: &str| fs::read(at.join(run).join("metrics.jsonl")).unwrap();
    assert!(metrics("run") == metrics("whole"), "`metrics.jsonl` differs");
    for name in ["model.safetensors", "optimizer.safetensors", "ema.safetensors"] {
        let of = |run: &str| fs::read(newest(&at.join(run)).join(name)).unwrap();
        assert!(of("run") == of("whole"), "`{name}` differs");
    }
}

#[test]
fn a_rank_that_dies_ends_the_others_and_is_named_first() {
    let folder = workspace();
    let at = folder.path();
    let words = [
        "train",
        "recipe.toml",
        "--out",
        "run",
        "--nproc-per-node",
        "3",
        "--set",
        "train.epochs=100000",
        "-q",
    ];
    let child = begun(at, &words);
    let ranks = ranks_of(&child, 3);
    kill("-KILL", &ranks[1].1);
    let (code, said, took) = ended(child);
    assert_eq!(code, Some(1), "{said}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    assert!(first.contains("rank 1 was ended by signal 9"), "{said}");
    assert!(ranks.iter().all(|(_, pid)| !alive(pid)), "{said}");
}

#[test]
fn numbers_that_are_not_finite_on_one_rank_stop_all_by_its_name() {
    let folder = workspace();
    let at = folder.path();
    let mut rows: Vec<String> = table(97, 1).lines().map(str::to_owned).collect();
    // in file order, rows 5 to 8 are rank 1's first batch
    rows[6] = "3e38,3e38,-3e38,low".into();
    fs::write(at.join("train.csv"), rows.join("\n")).unwrap();
    let squared = RECIPE.replace("type = \"cross_entropy\"\nclass_weights = \"balanced\"", "type = \"mse\"");
    let layers = "model.layers=[{ linear = 16 }, { act = \"relu\" }, { linear = \"classes\" }]";
    for (recipe, what) in [
        (RECIPE, "on rank 1, the norm of the gradient overflows"),
        (squared.as_str(), "on rank 1, the loss is not finite"),
    ] {
        fs::write(at.join("recipe.toml"), recipe).unwrap();
        let words = ["train", "recipe.toml", "--nproc-per-node", "2", "-q", "--set", "train.shuffle=false"];
        let said = run(at, &[&words[..], &["--set", "data.scale=none", "--set", layers]].concat());
        let text = stderr(&said);
        assert_eq!(said.status.code(), Some(1), "{text}");
        assert!(text.contains(what) && text.contains("diverged at update 1"), "{text}");
        assert_eq!(text.matches("diverged").count(), 1, "{text}");
    }
}
