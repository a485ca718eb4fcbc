//! Several processes on the built program: they compute what one does, go on where they were stopped, and end together.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{engine, fine, newest, run, stderr};
use serde_json::Value;
use tempfile::TempDir;

const RECIPE: &str = r#"
name = "rows"
task = "classification"
seed = 3

[data]
format = "csv"
train = "train.csv"
valid = "valid.csv"
target = "kind"
scale = "standardize"

[model]
arch = "sequential"
layers = [{ linear = 16 }, { act = "relu" }, { linear = 16 }, { act = "tanh" }, { linear = "classes" }]

[loss]
type = "cross_entropy"
class_weights = "balanced"

[optim]
type = "SGD"
lr = 0.1
momentum = 0.9

[train]
epochs = 5
batch_size = 4
grad_accum = 2
clip_grad_norm = 0.5
"#;

/// Rows of three numbers and a class that depends on them.
fn table(rows: u64, seed: u64) -> String {
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
    };
    let mut text = String::from("a,b,c,kind\n");
    for _ in 0..rows {
        let (a, b, c) = (draw(), draw(), draw());
        let kind = if a + b > 0.3 {
            "high"
        } else if b * c > 0.02 {
            "odd"
        } else {
            "low"
        };
        text.push_str(&format!("{a},{b},{c},{kind}\n"));
    }
    text
}

/// 97 rows to train on and 31 to validate: no batch size of these tests divides either.
fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("train.csv"), table(97, 1)).unwrap();
    fs::write(folder.path().join("valid.csv"), table(31, 2)).unwrap();
    fs::write(folder.path().join("recipe.toml"), RECIPE).unwrap();
    folder
}

/// Numbers of the newest checkpoint of a run: all tensors of its model, in the file's order.
fn weights(run: &Path) -> Vec<f32> {
    let bytes = fs::read(newest(run).join("model.safetensors")).unwrap();
    let (length, rest) = bytes.split_at(8);
    let header = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    rest[header..].chunks_exact(4).map(|float| f32::from_le_bytes(float.try_into().unwrap())).collect()
}

/// Records of one kind in a run's metrics.
fn records(run: &Path, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|record| record["event"] == kind).collect()
}

fn close(one: &Value, other: &Value, key: &str) {
    let (a, b) = (one[key].as_f64().unwrap(), other[key].as_f64().unwrap());
    assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{key}: {a} and {b}");
}

#[test]
fn three_ranks_are_one_process_with_batches_three_times_as_large() {
    let folder = workspace();
    let at = folder.path();
    // the last batch of an epoch has one row, and the last update no other batch: two ranks have nothing to do in it
    fine(
        at,
        &["train", "recipe.toml", "--set", "train.batch_size=12", "--out", "one", "--threads", "1", "-q"],
    );
    fine(at, &["train", "recipe.toml", "--nproc-per-node", "3", "--out", "three", "--threads", "1", "-q"]);
    let (one, three) = (weights(&at.join("one")), weights(&at.join("three")));
    let off = one.iter().zip(&three).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(one.len() == three.len() && off <= 1e-5, "{off}");
    let (one, three) = (at.join("one"), at.join("three"));
    let steps = records(&one, "step");
    assert!(steps.len() == 25, "{} updates", steps.len());
    for (a, b) in steps.iter().zip(records(&three, "step")) {
        close(a, &b, "loss");
        close(a, &b, "grad_norm");
        assert_eq!((&a["count"], &a["correct"]), (&b["count"], &b["correct"]));
    }
    for (a, b) in records(&one, "eval").iter().zip(records(&three, "eval")) {
        close(a, &b, "loss");
        assert_eq!((&a["count"], &a["accuracy"]), (&Value::from(31), &b["accuracy"]));
        assert_eq!(a["confusion"], b["confusion"]);
    }
}

#[test]
fn a_regression_on_two_ranks_has_the_scores_of_one_process() {
    let folder = workspace();
    let at = folder.path();
    let recipe = RECIPE
        .replace("task = \"classification\"", "task = \"regression\"")
        .replace("\"kind\"", "\"c\"\nfeatures = [\"a\", \"b\"]")
        .replace("type = \"cross_entropy\"\nclass_weights = \"balanced\"", "type = \"mse\"")
        .replace("linear = \"classes\"", "linear = \"targets\"")
        + "\n[eval]\nmetric = \"r2\"\n";
    fs::write(at.join("recipe.toml"), recipe).unwrap();
    fine(
        at,
        &["train", "recipe.toml", "--set", "train.batch_size=8", "--out", "one", "--threads", "1", "-q"],
    );
    fine(at, &["train", "recipe.toml", "--nproc-per-node", "2", "--out", "two", "--threads", "1", "-q"]);
    let (one, two) = (records(&at.join("one"), "eval"), records(&at.join("two"), "eval"));
    assert!(!one.is_empty() && one.len() == two.len());
    for (a, b) in one.iter().zip(&two) {
        for key in ["loss", "r2", "mae"] {
            close(a, b, key);
        }
    }
}

/// Two streams over one small ViT with three heads. The first has 19 samples and the second 8.
const STREAMS: &str = r#"
name = "streams"
task = "multi-task"

[model]
arch = "vit"
weights = "none"
config = "config.json"

[model.heads]
classifier = { hidden = ["dense"] }
yaw = { weight = 0.5 }
hue = { weight = 0.5 }

[train]
epochs = 4
batch_size = 3
precision = "fp32"
epoch_ends = "longest"

[[streams]]
name = "new"
optim = { type = "SGD", lr = 0.05, weight_decay = 0.01 }
[streams.data]
train = "scenes"
attributes = "scenes/attributes.csv"
split = { valid = 0.25 }
[streams.data.transform]
train = [{ op = "Resize", size = [32, 32] }]
eval = [{ op = "Resize", size = [32, 32] }]

[[streams]]
name = "replay"
loss_weights = { classifier = 2.0 }
train = ["classifier.*", "dense.*", "*encoder.layer.1.*", "yaw.*"]
batch_size = 2
clip_grad_norm = 1.0
optim = { type = "SGD", lr = 1e-2, momentum = 0.9 }
[streams.data]
train = "few"
[streams.data.transform]
train = [{ op = "Resize", size = [32, 32] }]
eval = [{ op = "Resize", size = [32, 32] }]
"#;

const VIT: &str = r#"{ "model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "image_size": 32, "patch_size": 16, "hidden_act": "gelu", "qkv_bias": true,
    "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0 }"#;

#[test]
fn streams_and_heads_on_two_ranks_are_those_of_one_process() {
    let folder = common::workspace();
    let at = folder.path();
    let few = luthier_data::scenes::SceneOptions {
        count: 16,
        seed: 9,
        size: 40,
        ..luthier_data::scenes::SceneOptions::default()
    };
    luthier_data::scenes::render(&at.join("few"), &few, &|_, _| {}).unwrap();
    fs::write(at.join("config.json"), VIT).unwrap();
    let gradnorm = "task_weighting = { type = \"gradnorm\" }\nmonitor = { gradient_cosine = true }\n";
    let uncertainty = "task_weighting = { type = \"uncertainty\", lr = 0.1 }\n";
    let ways = [("alternate", ""), ("sum", ""), ("alternate", gradnorm), ("sum", uncertainty)];
    for (number, (interleave, more)) in ways.into_iter().enumerate() {
        let mut recipe =
            STREAMS.replace("epoch_ends", &format!("{more}interleave = \"{interleave}\"\nepoch_ends"));
        if interleave == "sum" {
            // the first stream's optimizer steps for both, and for all parameters
            let own = ["optim = { type = \"SGD\", lr = 1e-2", "clip_grad_norm", "train = [\"classifier"];
            recipe = recipe.lines().filter(|line| !own.iter().any(|key| line.starts_with(key))).fold(
                String::new(),
                |mut text, line| {
                    text.push_str(line);
                    text.push('\n');
                    text
                },
            );
        }
        fs::write(at.join("two.toml"), &recipe).unwrap();
        let wide =
            recipe.replace("batch_size = 3", "batch_size = 6").replace("batch_size = 2", "batch_size = 4");
        fs::write(at.join("one.toml"), wide).unwrap();
        let (one, two) = (at.join(format!("{number}-1")), at.join(format!("{number}-2")));
        let out = |run: &Path| run.file_name().unwrap().to_string_lossy().into_owned();
        fine(at, &["train", "one.toml", "--out", &out(&one), "--threads", "1", "-q"]);
        let words = ["train", "two.toml", "--nproc-per-node", "2", "--out", &out(&two), "--threads", "1"];
        let said = run(at, &words);
        assert!(said.status.success(), "{}", stderr(&said));
        // a head that the second stream's optimizer has and its loss does not
        let named = stderr(&said).contains("no gradient reached `yaw.weight`, `yaw.bias`");
        assert_eq!(named, interleave == "alternate", "{}", stderr(&said));
        let (steps, other) = (records(&one, "step"), records(&two, "step"));
        assert!(steps.len() >= 20 && steps.len() == other.len(), "{} and {}", steps.len(), other.len());
        for (a, b) in steps.iter().zip(&other) {
            close(a, b, "loss");
            assert_eq!((&a["count"], &a["stream"]), (&b["count"], &b["stream"]));
            // learned weights, and angles between gradients, are those of all ranks' samples
            for (a, b) in a["tasks"].as_array().unwrap().iter().zip(b["tasks"].as_array().unwrap()) {
                assert_eq!(a["weight"].is_number(), b["weight"].is_number());
                if a["weight"].is_number() {
                    close(a, b, "weight");
                }
            }
        }
        let learned = steps.iter().filter(|step| step["tasks"][1]["weight"].is_number()).count();
        assert_eq!(learned > 0, !more.is_empty());
        let angles = |steps: &[Value]| -> Vec<f64> {
            let all = steps.iter().filter_map(|step| step["gradient_cosine"].as_array()).flatten();
            all.filter_map(|pair| pair[2].as_f64()).collect()
        };
        let (a, b) = (angles(&steps), angles(&other));
        assert_eq!((a.len() >= 9, a.len()), (more == gradnorm, b.len()));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?} {b:?}");
        let off = weights(&one).iter().zip(&weights(&two)).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(off <= 1e-5, "{interleave}: {off}");
    }
}

#[test]
fn pictures_with_batch_norm_and_the_plan_of_ranks() {
    let folder = common::workspace();
    let at = folder.path();
    let page = fine(at, &["check", "recipe.toml", "--nproc-per-node", "2"]);
    for part in ["2 ranks", "12 samples per update", "gloo", "rank 0's statistics"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let words = ["train", "recipe.toml", "--nproc-per-node", "2", "--out", "run", "--threads", "1", "-q"];
    fine(at, &[&words[..], &["--set", "train.epochs=1"]].concat());
    let eval = records(&at.join("run"), "eval").pop().unwrap();
    let alone: Value =
        serde_json::from_str(&fine(at, &["eval", "run", "--json", "--checkpoint", "last"])).unwrap();
    assert_eq!(eval["count"], alone["count"]);
    close(&eval, &alone, "loss");
}

#[test]
fn norms_over_all_ranks_are_those_of_one_process() {
    let folder = workspace();
    let at = folder.path();
    let normed = RECIPE.replace(
        "{ linear = 16 }, { act = \"relu\" }",
        "{ linear = 16 }, { batch_norm = true }, { act = \"relu\" }",
    ) + "[distributed]\nsync_batch_norm = true\n";
    fs::write(at.join("recipe.toml"), normed).unwrap();
    let said = stderr(&run(at, &["train", "recipe.toml", "--nproc-per-node", "3", "--out", "bad", "-q"]));
    assert!(said.contains("has 1 sample for 3 ranks") && said.contains("drop_last"), "{said}");
    let words = ["train", "recipe.toml", "--set", "train.drop_last=true", "--threads", "1", "-q", "--out"];
    fine(at, &[&words[..], &["one", "--set", "train.batch_size=12"]].concat());
    fine(at, &[&words[..], &["three", "--nproc-per-node", "3"]].concat());
    let (one, three) = (weights(&at.join("one")), weights(&at.join("three")));
    let off = one.iter().zip(&three).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(one.len() == three.len() && off <= 1e-5, "{off}");
    // each by its own batch, they learn something else
    let alone =
        [&words[..], &["alone", "--nproc-per-node", "3", "--set", "distributed.sync_batch_norm=false"]];
    fine(at, &alone.concat());
    let off = one.iter().zip(weights(&at.join("alone"))).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    assert!(off > 1e-3, "{off}");
}

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

/// Two ranks with words of their own, by hand.
fn by_hand(at: &Path, words: [&[&str]; 2]) -> [Output; 2] {
    let program = env!("CARGO_BIN_EXE_luthier-engine");
    by_hand_of(at, words, [program, program])
}

/// The same, each of a program of its own.
fn by_hand_of(at: &Path, words: [&[&str]; 2], programs: [&str; 2]) -> [Output; 2] {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string();
    let mut children = Vec::new();
    for (rank, (words, program)) in words.iter().zip(programs).enumerate() {
        let mut command = Command::new(program);
        command.args(*words).current_dir(at).env("NO_COLOR", "1").env("OMP_NUM_THREADS", "1");
        command.env("RANK", rank.to_string()).env("WORLD_SIZE", "2").env("LOCAL_RANK", rank.to_string());
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
        children.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    }
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    outputs.try_into().unwrap()
}

#[test]
fn ranks_with_other_recipes_or_seeds_are_refused_at_the_start() {
    let folder = workspace();
    let at = folder.path();
    let plain = ["train", "recipe.toml", "--out", "run"];
    let cases: [(&[&str], &str); 2] = [
        (&["--set", "optim.lr=0.2"], "`optim.lr` is 0.2 there and 0.1 on rank 0"),
        (&["--set", "seed=4"], "`seed` is 4 there and 3 on rank 0"),
    ];
    for (more, sentence) in cases {
        let [first, second] = by_hand(at, [&plain, &[&plain[..], more].concat()]);
        for said in [first, second] {
            let text = stderr(&said);
            assert_eq!(said.status.code(), Some(1), "{text}");
            assert!(text.contains("rank 1 is not like rank 0") && text.contains(sentence), "{text}");
        }
        assert!(!at.join("run").exists(), "a run directory was made");
    }
}

#[test]
fn ranks_of_another_build_are_refused_at_the_start() {
    let folder = workspace();
    let at = folder.path();
    let own = env!("CARGO_BIN_EXE_luthier-engine");
    // what is behind the end of a program changes its hash and nothing else
    let other = at.join("another-engine");
    fs::copy(own, &other).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&other).unwrap();
    std::io::Write::write_all(&mut file, b"another build").unwrap();
    drop(file);
    let words: &[&str] = &["train", "recipe.toml", "--out", "run"];
    for said in by_hand_of(at, [words, words], [own, other.to_str().unwrap()]) {
        let text = stderr(&said);
        assert_eq!(said.status.code(), Some(1), "{text}");
        assert!(text.contains("rank 1 is not like rank 0") && text.contains("the program is "), "{text}");
        assert!(text.matches("(build ").count() >= 2, "{text}");
    }
    assert!(!at.join("run").exists(), "a run directory was made");
}

#[test]
fn started_by_hand_as_torchrun_does() {
    let folder = workspace();
    let at = folder.path();
    let words: &[&str] = &["train", "recipe.toml", "--out", "run", "--threads", "1"];
    let [first, second] = by_hand(at, [words, words]);
    assert!(first.status.success() && second.status.success(), "{}{}", stderr(&first), stderr(&second));
    assert_eq!(stderr(&second), "", "a rank that is not the first says nothing");
    assert!(at.join("run/report.html").exists());
}

#[test]
fn half_an_environment_and_a_port_in_use_are_sentences() {
    let folder = workspace();
    let at = folder.path();
    let words = ["train", "recipe.toml", "--out", "run"];
    let half = engine(at, &words).env("RANK", "0").output().unwrap();
    assert_eq!(half.status.code(), Some(2));
    assert!(stderr(&half).contains("`RANK` is set and `WORLD_SIZE` is not"), "{}", stderr(&half));

    let taken = TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let began = Instant::now();
    let mut command = engine(at, &[&words[..], &["--nproc-per-node", "2"]].concat());
    let said = command.env("MASTER_PORT", &port).output().unwrap();
    assert_eq!(said.status.code(), Some(1), "{}", stderr(&said));
    assert!(stderr(&said).contains(&format!("the port {port} is in use")), "{}", stderr(&said));
    assert!(began.elapsed() < Duration::from_secs(30));

    let both =
        engine(at, &[&words[..], &["--nproc-per-node", "2"]].concat()).env("RANK", "0").output().unwrap();
    assert!(stderr(&both).contains("`RANK` says that this process is one already"), "{}", stderr(&both));
    let mpi = run(at, &[&words[..], &["--nproc-per-node", "2", "--set", "distributed.backend=mpi"]].concat());
    assert!(stderr(&mpi).contains("this libtorch has no `mpi` backend"), "{}", stderr(&mpi));
}

/// Two machines, as far as the network goes: each rank in a network namespace, with a cable between them.
#[test]
fn two_network_namespaces_train_together() {
    let ip = |words: &str| {
        let output = Command::new("ip").args(words.split_whitespace()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let (one, two) = (format!("lu{}a", std::process::id()), format!("lu{}b", std::process::id()));
    let made = ip(&format!("netns add {one}"))
        && ip(&format!("netns add {two}"))
        && ip(&format!("link add v0 netns {one} type veth peer name v1 netns {two}"))
        && ip(&format!("-n {one} addr add 10.83.0.1/24 dev v0"))
        && ip(&format!("-n {two} addr add 10.83.0.2/24 dev v1"))
        && [&one, &two].iter().all(|name| ip(&format!("-n {name} link set lo up")))
        && ip(&format!("-n {one} link set v0 up"))
        && ip(&format!("-n {two} link set v1 up"));
    if !made {
        eprintln!("skipped: this system makes no network namespaces");
        ip(&format!("netns del {one}"));
        ip(&format!("netns del {two}"));
        return;
    }
    let folder = workspace();
    let at = folder.path();
    let mut children = Vec::new();
    for (rank, name) in [&one, &two].into_iter().enumerate() {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name, env!("CARGO_BIN_EXE_luthier-engine")]);
        command.args(["train", "recipe.toml", "--out", "run", "--threads", "1"]).current_dir(at);
        command.env("NO_COLOR", "1").env("RANK", rank.to_string()).env("WORLD_SIZE", "2");
        command.env("MASTER_ADDR", "10.83.0.1").env("MASTER_PORT", "29500");
        children.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    }
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    ip(&format!("netns del {one}"));
    ip(&format!("netns del {two}"));
    for output in outputs {
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert!(at.join("run/report.html").exists());
}
