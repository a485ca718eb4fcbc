//! Five stages of contrastive pretraining, killed by SIGKILL in each of them and resumed: the run that was never interrupted,
//! to the last bit.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{engine, fine, newest, workspace};

/// The document's stages over 25 scenes: ten updates each, on a ViT that takes milliseconds for one.
const RECIPE: &str = r#"
name = "five"
task = "contrastive"
[data]
train = "scenes"
split = { valid = 0.25 }
[data.transform]
train = [{ op = "RandomResizedCrop", size = 32, scale = [0.4, 1.0] }, { op = "RandomHorizontalFlip" }]
eval = [{ op = "Resize", size = [32, 32] }]
[model]
arch = "vit"
weights = "none"
vit = { size = "tiny", patch_size = 8, hidden_size = 32, num_hidden_layers = 1, num_attention_heads = 2 }
[contrastive]
dim = 16
queue = 16
momentum = 0.9
heads = ["a", "b"]
[contrastive.prototypes]
clusters = [3, 5]
negatives = 4
iterations = 5
[[stages]]
name = "instance"
epochs = 5
loss = ["info_nce"]
heads = []
[[stages]]
name = "warm the head"
epochs = 5
loss = ["info_nce"]
heads = ["a"]
train = ["*.a.*"]
[[stages]]
name = "prototypes"
epochs = 5
loss = ["info_nce", "proto_nce"]
freeze = ["*.a.*", "*.b.*"]
[[stages]]
name = "heads"
epochs = 5
loss = ["info_nce", "proto_nce"]
train = ["*.a.*", "*.b.*"]
[[stages]]
name = "everything"
epochs = 5
loss = ["info_nce", "proto_nce"]
[optim]
type = "Adam"
lr = 0.001
[train]
epochs = 25
batch_size = 8
drop_last = true
precision = "fp32"
checkpoint = { every = { steps = 1 }, keep = 2 }
"#;

/// Updates of each stage: five epochs of two batches.
const EACH: u64 = 10;
/// A machine that is busy may kill too late, and the run is in the next stage by then: it is begun anew.
const ATTEMPTS: usize = 4;

/// What a run leaves that must not depend on interruptions.
fn left(run: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("metrics.jsonl".to_string(), std::fs::read(run.join("metrics.jsonl")).unwrap())];
    for name in ["model.safetensors", "optimizer.safetensors", "contrast.safetensors"] {
        files.push((name.into(), std::fs::read(newest(run).join(name)).unwrap()));
    }
    files
}

/// Updates that a run has told of.
fn updates(run: &Path) -> u64 {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    text.lines().filter(|line| line.starts_with(r#"{"event":"step""#)).count() as u64
}

/// Starts the engine and kills it as soon as the run has told of update `until`; true where it ended before.
fn killed(folder: &Path, words: &[&str], run: &Path, until: u64) -> bool {
    let mut child = engine(folder, words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    loop {
        if updates(run) >= until {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "it failed by itself: {status}");
            return true;
        }
        assert!(began.elapsed() < Duration::from_secs(240), "update {until} did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn killed_in_each_of_five_stages_and_resumed_is_never_interrupted() {
    let folder = workspace();
    let folder = folder.path();
    std::fs::write(folder.join("five.toml"), RECIPE).unwrap();
    fine(folder, &["train", "five.toml", "--out", "whole", "--threads", "1", "-q"]);
    let expected = left(&folder.join("whole"));
    let told = String::from_utf8(expected[0].1.clone()).unwrap();
    assert_eq!(told.matches(r#""event":"stage""#).count(), 5, "{told}");
    assert_eq!(updates(&folder.join("whole")), 5 * EACH);

    for attempt in 0..ATTEMPTS {
        let name = format!("killed-{attempt}");
        if in_each_stage(folder, &name) {
            fine(folder, &["train", "--resume", &name, "--threads", "1", "-q"]);
            for ((name, bytes), (_, wanted)) in left(&folder.join(&name)).iter().zip(&expected) {
                assert!(bytes == wanted, "`{name}` differs after a kill in each stage");
            }
            return;
        }
    }
    panic!("{ATTEMPTS} times it could not be killed in each stage");
}

/// One run, killed once in every stage; false where it was in another stage by then.
fn in_each_stage(folder: &Path, name: &str) -> bool {
    let run = folder.join(name);
    (0..5).all(|stage| {
        let words = match stage {
            0 => &["train", "five.toml", "--out", name, "--threads", "1"][..],
            _ => &["train", "--resume", name, "--threads", "1"],
        };
        !killed(folder, words, &run, stage * EACH + 3) && updates(&run) / EACH == stage
    })
}
