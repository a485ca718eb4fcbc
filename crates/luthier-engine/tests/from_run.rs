//! `model.weights = "run:…"`: what another run has learned, through the built program.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::path::Path;

use common::{RECIPE, engine, fine, run, workspace};

/// An encoder of 32 pixels, by class.
const CONTRAST: &str = r#"
name = "encoder"
task = "contrastive"
[data]
train = "scenes"
split = { valid = 0.25 }
[data.transform]
train = [{ op = "RandomResizedCrop", size = 32, scale = [0.6, 1.0] }, { op = "RandomHorizontalFlip" }]
eval = [{ op = "Resize", size = [32, 32] }]
[model]
arch = "resnet18"
weights = "none"
[contrastive]
loss = ["sup_con"]
dim = 8
mlp = false
[optim]
type = "SGD"
lr = 0.02
[train]
epochs = 1
batch_size = 8
drop_last = true
precision = "fp32"
"#;

/// What a command says that fails.
fn refused(folder: &Path, words: &[&str]) -> String {
    let output = run(folder, words);
    assert!(!output.status.success(), "accepted: {words:?}");
    String::from_utf8_lossy(&output.stderr)
        .replace('\n', " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn write(folder: &Path, name: &str, weights: &str, changes: &[(&str, &str)]) {
    let mut text = RECIPE.replace("weights = \"none\"", &format!("weights = {weights:?}"));
    text = text
        .replace("size = 64", "size = 32")
        .replace("size = 72", "size = 32")
        .replace("epochs = 2", "epochs = 1");
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    std::fs::write(folder.join(name), text).unwrap();
}

/// A tensor of a run's newest checkpoint, or of none of its updates: as it was when it began.
fn tensor(folder: &Path, run: &str, name: &str) -> Vec<u8> {
    let path = common::newest(&folder.join(run)).join("model.safetensors");
    luthier_weights::read(&path).unwrap().tensors[name].bytes.to_vec()
}

#[test]
fn a_classifier_starts_from_the_encoder_of_a_contrastive_run() {
    let folder = workspace();
    let folder = folder.path();
    std::fs::write(folder.join("encoder.toml"), CONTRAST).unwrap();
    fine(folder, &["train", "encoder.toml", "--threads", "1", "-q"]);
    let runs: Vec<_> =
        std::fs::read_dir(folder.join("runs")).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(runs.len(), 1);
    let run_name = runs[0].to_string_lossy().into_owned();

    // the embeddings are of eight numbers and there are eight classes: their head is left out all the same
    write(folder, "fine.toml", "run:encoder", &[("lr = 0.01", "lr = 1e-9")]);
    fine(folder, &["train", "fine.toml", "--out", "fine", "--threads", "1", "-q"]);
    let (conv, fc) = ("layer1.0.conv1.weight", "fc.weight");
    let encoder = format!("runs/{run_name}");
    let close = |one: &[u8], other: &[u8]| {
        let of = |bytes: &[u8]| -> Vec<f32> {
            bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
        };
        of(one).iter().zip(of(other)).all(|(one, other)| (one - other).abs() < 1e-5)
    };
    assert!(close(&tensor(folder, "fine", conv), &tensor(folder, &encoder, conv)));
    assert!(!close(&tensor(folder, "fine", fc), &tensor(folder, &encoder, fc)));

    // by its path, its name and which checkpoint; the page says where from
    for weights in [format!("run:{encoder}"), format!("run:{run_name}"), format!("run:{run_name}@last")] {
        write(folder, "named.toml", &weights, &[]);
        let page = page(folder, "named.toml");
        assert!(page.contains("its newest checkpoint, after update"), "{page}");
        assert!(page.contains("the heads of its embeddings are left out"), "{page}");
        assert!(page.contains("the head starts random"), "{page}");
    }

    // a run that itself started from that name is not meant by it
    std::fs::write(folder.join("on.toml"), CONTRAST.replace("\"none\"", "\"run:encoder\"")).unwrap();
    fine(folder, &["train", "on.toml", "--threads", "1", "-q"]);
    assert_eq!(std::fs::read_dir(folder.join("runs")).unwrap().count(), 2);
    let told = page(folder, "on.toml");
    assert!(told.contains(&format!("of the run `runs/{run_name}`")), "{told}");

    // a second run of the classifier keeps the head; of other classes it does not
    write(folder, "again.toml", "run:fine", &[]);
    let told = page(folder, "again.toml");
    assert!(told.contains("of the run `") && !told.contains("the head starts random"), "{told}");
    let class = folder.join("scenes").join(first_class(folder));
    std::fs::rename(&class, class.with_file_name("others")).unwrap();
    let told = page(folder, "again.toml");
    assert!(told.contains("it told other classes apart"), "{told}");
    assert!(told.contains("the head starts random"), "{told}");
}

/// The plan of a recipe, in one line.
fn page(folder: &Path, recipe: &str) -> String {
    fine(folder, &["check", recipe]).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_class(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder.join("scenes")).unwrap();
    let mut folders: Vec<_> = entries.map(|one| one.unwrap()).filter(|one| one.path().is_dir()).collect();
    folders.sort_by_key(|one| one.file_name());
    folders[0].file_name().to_string_lossy().into_owned()
}

#[test]
fn runs_that_cannot_be_started_from_are_told() {
    let folder = workspace();
    let folder = folder.path();
    let check = |weights: &str, changes: &[(&str, &str)]| {
        write(folder, "bad.toml", weights, changes);
        refused(folder, &["check", "bad.toml"])
    };
    let told = check("run:nothing", &[]);
    assert!(told.contains("there is no run `nothing`") && told.contains("luthier runs"), "{told}");
    assert!(check("run:", &[]).contains("`run:` names no run"));
    assert!(check("run:scenes", &[]).contains("no run: it has no `plan.json`"));

    // a run that has not trained yet: its plan, and no checkpoint
    write(folder, "short.toml", "none", &[]);
    let mut child = engine(folder, &["train", "short.toml", "--out", "short", "--threads", "1", "-q"]);
    assert!(child.status().unwrap().success());
    let told = check("run:short", &[("arch = \"resnet18\"", "arch = \"resnet34\"")]);
    assert!(told.contains("trained a `resnet18`, and this recipe's is a `resnet34`"), "{told}");
    assert!(told.contains("write `arch = \"resnet18\"`"), "{told}");
    let checkpoints = folder.join("short/checkpoints");
    for entry in std::fs::read_dir(&checkpoints).unwrap() {
        let file = entry.unwrap().path().join("model.safetensors");
        std::fs::write(file, b"torn").unwrap();
    }
    assert!(check("run:short", &[]).contains("has no checkpoint that is whole"));
    std::fs::remove_dir_all(&checkpoints).unwrap();
    assert!(check("run:short", &[]).contains("has no checkpoint"));
    std::fs::write(folder.join("short/plan.json"), b"{").unwrap();
    assert!(check("run:short", &[]).contains("cannot be read"));
}
