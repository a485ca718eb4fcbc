//! Contrasts on several processes: the keys of all, in one queue.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::rows::{close, numbers, records, weights};
use common::{engine, fine, newest, run, stderr};
use serde_json::Value;

/// MoCo on a small ViT, which knows no batch; 12 of 17 scenes in each epoch.
const RECIPE: &str = r#"
name = "test"
task = "contrastive"
[data]
train = "scenes"
split = { valid = 0.25 }
workers = 1
[data.transform]
train = [{ op = "RandomResizedCrop", size = 32, scale = [0.4, 1.0] }, { op = "RandomHorizontalFlip" }]
eval = [{ op = "Resize", size = [32, 32] }]
[model]
arch = "vit"
weights = "none"
vit = { size = "tiny", patch_size = 8, hidden_size = 32, num_hidden_layers = 1, num_attention_heads = 2, initializer_range = 0.2 }
[contrastive]
dim = 16
queue = 12
momentum = 0.9
in_batch = true
[optim]
type = "SGD"
lr = 0.002
momentum = 0.9
[train]
epochs = 5
batch_size = 2
drop_last = true
precision = "fp32"
[eval]
batch_size = 8
"#;

/// Clusters of all that ranks have seen, from the third epoch on.
const PROTOTYPES: &str = r#"[contrastive.prototypes]
clusters = [3, 5]
warmup_epochs = 2
negatives = 99
iterations = 5
"#;

fn train(at: &Path, out: &str, ranks: &str, more: &[&str]) {
    let words = ["train", "recipe.toml", "--nproc-per-node", ranks, "--out", out, "--threads", "1", "-q"];
    fine(at, &[&words, more].concat());
}

/// Whether a run has a checkpoint that is written to its end.
fn whole_checkpoint(run: &Path) -> bool {
    let all = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    all.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("step-"))
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max)
}

#[test]
fn three_ranks_contrast_as_one_process_with_batches_three_times_as_large() {
    let folder = common::workspace();
    let at = folder.path();
    fs::write(at.join("recipe.toml"), RECIPE).unwrap();
    train(at, "one", "1", &["--set", "train.batch_size=6"]);
    train(at, "three", "3", &[]);
    // a ViT has no statistics, so that shuffled pictures have the same keys, if these come back in order
    train(at, "shuffled", "3", &["--set", "contrastive.key_norm=batch"]);
    let one = at.join("one");
    let steps = records(&one, "step");
    assert_eq!(steps.len(), 10);
    for other in ["three", "shuffled"] {
        let other = at.join(other);
        for (a, b) in steps.iter().zip(records(&other, "step")) {
            close(a, &b, "loss");
            close(a, &b, "grad_norm");
            for key in ["accuracy", "top5"] {
                assert_eq!(a["tasks"][0][key], b["tasks"][0][key], "{key}: {a} {b}");
            }
        }
        assert!(apart(&weights(&one), &weights(&other)) <= 1e-5);
        // queue and key encoder
        let [a, b] = [&one, &other].map(|run| numbers(run, "contrast.safetensors"));
        assert!(apart(&a, &b) <= 1e-5, "{}", apart(&a, &b));
        let (a, b) = (records(&one, "embeddings"), records(&other, "embeddings"));
        assert_eq!((a.len(), b.len()), (6, 6));
        for (a, b) in a.iter().zip(&b) {
            close(a, b, "uniformity");
            assert_eq!(a["knn"], b["knn"]);
        }
    }
}

#[test]
fn prototypes_are_those_of_the_features_of_all_ranks() {
    let folder = common::workspace();
    let at = folder.path();
    fs::write(at.join("recipe.toml"), RECIPE.replace("[optim]", &format!("{PROTOTYPES}[optim]"))).unwrap();
    train(at, "one", "1", &["--set", "train.batch_size=6"]);
    train(at, "three", "3", &[]);
    let [one, three] = ["one", "three"].map(|run| records(&at.join(run), "clustered"));
    assert_eq!((one.len(), three.len()), (3, 3));
    for key in ["samples", "clusters", "largest", "repaired"] {
        let of = |clustered: &Value| match &clustered[key] {
            Value::Null => {
                clustered["granularities"].as_array().unwrap().iter().map(|one| one[key].clone()).collect()
            }
            value => vec![value.clone()],
        };
        assert_eq!(of(&one[0]), of(&three[0]), "{key}");
    }
    // embeddings that have barely begun to differ: what rounding leaves of their distances is more than of themselves
    let [one, three] = ["one", "three"].map(|run| records(&at.join(run), "step"));
    let loss = |step: &Value| step["tasks"][1]["loss"].as_f64().unwrap();
    assert_eq!(one[4]["tasks"][1]["head"], "proto_nce");
    assert!((loss(&one[4]) - loss(&three[4])).abs() < 1e-3, "{} {}", loss(&one[4]), loss(&three[4]));
    for key in ["accuracy", "top5"] {
        assert_eq!(one[4]["tasks"][1][key], three[4]["tasks"][1][key]);
    }
}

#[test]
fn statistics_of_other_company_make_other_keys_and_a_killed_run_goes_on_to_the_bit() {
    let folder = common::workspace();
    let at = folder.path();
    let recipe = RECIPE.replace("arch = \"vit\"", "arch = \"resnet18\"").replace("epochs = 5", "epochs = 4");
    let recipe = recipe.replace("[optim]", &format!("{PROTOTYPES}[optim]"));
    let recipe: String = recipe.split_inclusive('\n').filter(|line| !line.starts_with("vit =")).collect();
    fs::write(at.join("recipe.toml"), recipe).unwrap();
    let often = ["--set", "train.checkpoint={ every = { steps = 2 }, keep = 2 }"];
    for key_norm in ["ema", "batch"] {
        let set = format!("contrastive.key_norm={key_norm}");
        let sets = [&often[..], &["--set", &set]].concat();
        train(at, &format!("{key_norm}-whole"), "3", &sets);
        let cut = format!("{key_norm}-cut");
        let words = ["train", "recipe.toml", "--nproc-per-node", "3", "--out", &cut, "--threads", "1", "-q"];
        let mut child = engine(at, &[&words, &sets[..]].concat()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while !whole_checkpoint(&at.join(&cut)) {
            assert!(began.elapsed() < Duration::from_secs(180), "no checkpoint in three minutes");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let resumed = ["train", "--resume", &cut, "--nproc-per-node", "3", "--threads", "1"];
        // the ranks find out that their launcher is gone, and leave the run
        let mut resume = run(at, &resumed);
        while !resume.status.success() {
            assert!(began.elapsed() < Duration::from_secs(180), "cannot be resumed");
            std::thread::sleep(Duration::from_millis(500));
            resume = run(at, &resumed);
        }
        assert!(!stderr(&resume).contains("restarting"), "{}", stderr(&resume));
        for name in ["model.safetensors", "contrast.safetensors", "optimizer.safetensors"] {
            let of = |run: &str| fs::read(newest(&at.join(run)).join(name)).unwrap();
            assert!(of(&cut) == of(&format!("{key_norm}-whole")), "{key_norm}: `{name}` differs");
        }
    }
    let [ema, batch] =
        ["ema", "batch"].map(|run| numbers(&at.join(format!("{run}-whole")), "contrast.safetensors"));
    assert!(apart(&ema, &batch) > 1e-2);
}

#[test]
fn what_cannot_be_contrasted_by_several_is_refused() {
    let folder = common::workspace();
    let at = folder.path();
    fs::write(at.join("recipe.toml"), RECIPE).unwrap();
    let refused = |sets: &[&str]| {
        let words = ["train", "recipe.toml", "--nproc-per-node", "3", "--out", "out", "--threads", "1"];
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let output = run(at, &words.into_iter().chain(sets).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!at.join("out").exists());
        stderr(&output)
    };
    for (sets, message, help) in [
        (
            &["contrastive.queue=8"][..],
            "a queue of 8 keys is no multiple of the 6 keys of 3 processes",
            "`queue = 6`",
        ),
        (
            &["train.drop_last=false"],
            "the last batch of an epoch has 5 samples for 3 processes",
            "drop_last = true",
        ),
        (&["distributed.sync_batch_norm=true"], "statistics in common", "sync_batch_norm = false"),
    ] {
        let said = refused(sets);
        assert!(said.contains(message) && said.contains(help), "{said}");
    }
    // without a queue there is nothing that ranks could share
    let within: String = RECIPE
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("queue") && !line.starts_with("in_batch"))
        .collect();
    let within = within.replacen("momentum = 0.9\n", "loss = [\"sup_con\"]\n", 1);
    fs::write(at.join("recipe.toml"), within).unwrap();
    let said = refused(&[]);
    assert!(said.contains("3 processes would contrast the samples of 3 batches of 2"), "{said}");
    assert!(said.contains("`info_nce`"), "{said}");
}
