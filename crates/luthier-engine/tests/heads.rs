//! Several heads and streams at the command line: what evaluation, prediction and the report say of each.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{RECIPE, fine, run, stderr, workspace};
use serde_json::Value;
use tempfile::TempDir;

/// A trained run of two streams: the first learns yaw and hue, the second the classifier alone.
fn trained() -> TempDir {
    let folder = workspace();
    let heads = "[model.heads]\nyaw = {}\nclassifier = { hidden = [16] }\nhue = {}\n\n[optim]";
    let streams = "\n[[streams]]\nname = \"new\"\nloss_weights = { yaw = 1.0, hue = 0.5 }\n[[streams]]\nname = \"replay\"\n\
                   loss_weights = { classifier = 1.0 }\n";
    let text = RECIPE
        .replace("image-classification", "multi-task")
        .replace("train = \"scenes\"\n", "train = \"scenes\"\nattributes = \"scenes/attributes.csv\"\n")
        .replace("[optim]", heads)
        .replace("size = 72", "size = 36")
        .replace("size = 64", "size = 32")
        + streams;
    fs::write(folder.path().join("recipe.toml"), text).unwrap();
    let weigh = "train.task_weighting={ type = \"uncertainty\", lr = 0.1 }";
    let page = fine(folder.path(), &["check", "recipe.toml", "--set", weigh]);
    assert!(page.contains("weights are learned from there: exp(−log-variance)"), "{page}");
    assert!(page.contains("nothing to weigh it against"), "{page}");
    fine(folder.path(), &["train", "recipe.toml", "--out", "run", "-q", "--set", weigh]);
    folder
}

/// A recipe of two streams over one folder, whose second one has its table of attributes where `attributes.csv` says.
const STREAMS: &str = r#"
name = "test"
task = "multi-task"
[model]
arch = "resnet18"
weights = "none"
[model.heads]
yaw = {}
classifier = {}
[optim]
type = "SGD"
lr = 0.01
[train]
epochs = 1
batch_size = 7
[[streams]]
name = "new"
[streams.data]
train = "scenes"
attributes = "scenes/table.csv"
[streams.data.transform]
train = [{ op = "Resize", size = [32, 32] }]
eval = [{ op = "Resize", size = [32, 32] }]
[[streams]]
name = "replay"
loss_weights = { classifier = 1.0 }
[streams.data]
train = "photos"
[streams.data.transform]
train = [{ op = "Resize", size = [32, 32] }]
eval = [{ op = "Resize", size = [32, 32] }]
"#;

#[test]
fn streams_and_attributes_that_cannot_be_are_sentences() {
    let folder = workspace();
    let at = folder.path();
    let own = fs::read_to_string(at.join("scenes/attributes.csv")).unwrap();
    let yaw = own.lines().next().unwrap().split(',').position(|name| name == "yaw").unwrap();
    // the table with another cell in every row, or in the first one
    let with = |cell: &str, rows: usize| -> String {
        let row = |(index, line): (usize, &str)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if (1..=rows).contains(&index) {
                cells[yaw] = cell;
            }
            cells.join(",") + "\n"
        };
        own.lines().enumerate().map(row).collect()
    };
    fs::create_dir_all(at.join("photos/ants")).unwrap();
    let cases = [
        ("no pictures", own.clone(), ["`./photos` has only one class", "add a folder for each other class"]),
        ("no column", own.replacen("yaw", "jaw", 1), ["has no column `yaw`", "did you mean `jaw`"]),
        ("one value", with("3", usize::MAX), ["is `3` for every picture", "leave its head out"]),
        ("out of range", with("8", 1), ["line 2: `yaw` is `8`, and there are 8 classes", "from 0 to 7"]),
        ("below 0", with("-1", 1), ["line 2: `yaw` is `-1`, which is no class number", "from 0 to 7"]),
        ("a word", with("left", 1), ["line 2: `yaw` is `left`, which is no class number", "from 0 to 7"]),
        ("empty", with("", 1), ["line 2: `yaw` is empty", "give it a value"]),
    ];
    fs::write(at.join("recipe.toml"), STREAMS).unwrap();
    for (wrong, table, says) in cases {
        fs::write(at.join("scenes/table.csv"), table).unwrap();
        let sets = ["--set", "model.heads.yaw.classes=8"];
        let refused = run(at, &[&["train", "recipe.toml", "--out", "run"][..], &sets].concat());
        let told = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{wrong}: {told}");
        for part in says {
            assert!(told.contains(part), "{wrong}: `{part}` is not in: {told}");
        }
        assert!(told.contains("hint: ") && !at.join("run").exists(), "{wrong}: {told}");
    }
}

#[test]
fn a_stream_without_data_is_told_and_a_table_for_all_is_taken() {
    let folder = workspace();
    let at = folder.path();
    let (rest, _) = STREAMS.split_once("[streams.data]\ntrain = \"photos\"").unwrap();
    let rest = rest.replace("table.csv", "attributes.csv");
    fs::write(at.join("recipe.toml"), &rest).unwrap();
    let refused = run(at, &["train", "recipe.toml", "--out", "run"]);
    let told = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("stream `replay` has no `data`"), "{told}");
    assert!(told.contains("hint: add `data` to it, or a table `[data]` for all streams"), "{told}");
    assert!(!at.join("run").exists());
    let transform = "[{ op = \"Resize\", size = [32, 32] }]";
    let all = format!(
        "[data]\ntrain = \"scenes\"\ntransform = {{ train = {transform}, eval = {transform} }}\n[optim]"
    );
    fs::write(at.join("recipe.toml"), rest.replace("[optim]", &all)).unwrap();
    // both move all, each by an optimizer of its own or by the one
    let page = fine(at, &["check", "recipe.toml"]);
    assert!(page.contains("moved by new and replay (an optimizer each): "), "{page}");
    let page = fine(at, &["check", "recipe.toml", "--set", "train.interleave=sum"]);
    assert!(page.contains("moved by new (with all streams' gradients): "), "{page}");
    assert!(!page.contains("an optimizer each"), "{page}");
}

#[test]
fn a_run_of_streams_goes_on_by_its_recipe_and_not_by_another() {
    let folder = workspace();
    let at = folder.path();
    common::copy(at, "photos");
    // the first has a rate curve and a batch size of its own, the second the run's
    let own = "name = \"new\"\nbatch_size = 5\nclip_grad_norm = 1.0\nloss_weights = { yaw = 1.0, classifier = 1.0 }\n\
               schedule = { type = \"StepLR\", step_size = 1, gamma = 0.5, unit = \"epoch\" }\n";
    let recipe = STREAMS.replace("table.csv", "attributes.csv").replace("name = \"new\"\n", own);
    fs::write(at.join("recipe.toml"), recipe).unwrap();
    fine(at, &["train", "recipe.toml", "--out", "run", "-q", "--threads", "1"]);
    fine(at, &["train", "recipe.toml", "--resume", "run", "-q", "--threads", "1"]);
    for (set, sentence) in [
        ("streams[0].batch_size=4", "`train.batch_size` was 5 and is 4"),
        ("train.batch_size=4", "`train.batch_size` was 7 and is 4"),
        ("schedule={ type = \"CosineAnnealingLR\", unit = \"step\" }", "`schedule.type` was"),
    ] {
        let other = run(at, &["train", "recipe.toml", "--resume", "run", "-q", "--set", set]);
        let told = stderr(&other);
        assert!(other.status.code() == Some(2) && told.contains(sentence), "{set}: {told}");
    }
    // the doctor, too, reads the recipe out of the plan
    let verdict = run(at, &["doctor", "run", "--json", "--budget", "5s", "--threads", "1"]);
    assert!(serde_json::from_slice::<Value>(&verdict.stdout).is_ok(), "{}", stderr(&verdict));
}

#[test]
fn two_streams_that_move_the_same_batch_norm_are_told() {
    let folder = workspace();
    let at = folder.path();
    let copy = common::copy(at, "photos");
    assert!(copy.is_dir());
    fs::write(at.join("recipe.toml"), STREAMS.replace("table.csv", "attributes.csv")).unwrap();
    let verdict = run(at, &["doctor", "recipe.toml", "--static", "--json"]);
    let told: Value =
        serde_json::from_slice(&verdict.stdout).unwrap_or_else(|_| panic!("{}", stderr(&verdict)));
    let found = told["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "NRM004");
    let evidence = found.unwrap_or_else(|| panic!("{told:#}"))["evidence"][0].as_str().unwrap();
    assert!(evidence.contains("20 BatchNorm layers"), "{evidence}");
}

#[test]
fn every_head_is_evaluated_predicted_with_and_reported() {
    let folder = trained();
    let folder = folder.path();
    let eval: Value = serde_json::from_str(&fine(folder, &["eval", "run", "--json"])).unwrap();
    assert_eq!((&eval["stream"], &eval["count"]), (&"new".into(), &8.into()));
    let heads = eval["heads"].as_object().unwrap();
    assert_eq!(heads.keys().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(), ["hue", "yaw"]);
    let mut right = 0.0;
    for (name, head) in heads {
        let classes = head["classes"].as_array().unwrap().len();
        let counts: Vec<u64> = head["confusion"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|n| n.as_u64().unwrap())
            .collect();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (classes * classes, 8), "{name}");
        assert_eq!(head["report"]["classes"].as_array().unwrap().len(), classes, "{name}");
        let diagonal: u64 = (0..classes).map(|at| counts[at * classes + at]).sum();
        assert_eq!(head["accuracy"].as_f64().unwrap(), diagonal as f64 / 8.0, "{name}");
        right += diagonal as f64;
    }
    assert_eq!(eval["accuracy"].as_f64().unwrap(), right / 16.0, "of both heads together");
    assert_eq!(eval["confusion"], heads["yaw"]["confusion"], "the first head's stands at the top, too");
    assert_eq!(eval["worst"][0]["heads"].as_array().unwrap().len(), 2);
    let other = &eval["streams"][0];
    assert_eq!(other["stream"], "replay");
    assert_eq!(other["heads"].as_object().unwrap().keys().collect::<Vec<_>>(), ["classifier"]);

    let page = fine(folder, &["eval", "run"]);
    for part in
        ["per head", "per class, yaw", "confusion, hue", "stream replay", "per class, classifier", "wrong"]
    {
        assert!(page.contains(part), "`{part}` is not in: {page}");
    }

    let picture =
        fs::read_dir(folder.join("scenes")).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap();
    let picture = picture.path();
    let picture = picture.to_str().unwrap();
    let told: Value = serde_json::from_str(&fine(folder, &["predict", "run", picture, "--json"])).unwrap();
    for one in told.as_array().unwrap() {
        let heads = one["heads"].as_object().unwrap();
        assert_eq!(
            heads.keys().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(),
            ["classifier", "hue", "yaw"],
            "whatever stream taught them"
        );
        for head in heads.values() {
            assert_eq!(head["class"], head["classes"][0]["class"]);
            assert!(head["classes"][0]["probability"].as_f64().unwrap() > 0.0);
        }
    }
    let page = fine(folder, &["predict", "run", picture]);
    assert!(page.lines().next().unwrap().contains("classifier"), "{page}");

    let report = fs::read_to_string(folder.join("run/report.html")).unwrap();
    for title in [
        "Confusion matrix, yaw",
        "Confusion matrix, hue",
        "Confusion matrix, classifier, replay",
        "Learned weight of every head",
    ] {
        assert!(report.contains(title), "{title}");
    }
    assert!(folder.join("run/plots/confusion-replay-classifier.svg").is_file());
    let metrics = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let step: Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
    assert!((step["tasks"][1]["weight"].as_f64().unwrap() - 0.5).abs() < 1e-6, "{step}");
}
