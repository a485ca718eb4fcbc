//! Texts on the built program: check, train, predict from a pipe, evaluate; and what people get wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use common::{engine, fine, run, stderr};
use tempfile::TempDir;

const RECIPE: &str = r#"
name = "texts"
task = "text-classification"
[data]
format = "tsv"
path = "rows.tsv"
columns = { label = 0, text = 1 }
tokenizer = "tokenizer.json"
split = { valid = 0.25, test = 0.25 }
[model]
arch = "gpt2"
config = "config.json"
weights = "none"
train = ["h.1.*", "ln_f.*", "score.*"]
dropout = 0.0
[optim]
type = "AdamW"
lr = 0.01
[train]
epochs = 6
batch_size = 4
precision = "fp32"
[eval]
every = { steps = 5 }
batches = 2
at_end = ["train", "valid", "test"]
"#;

fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let rows: String = (0..40)
        .map(|row| match row % 2 {
            0 => format!("spam\tcall {row} now, \"free prize\n"),
            _ => format!("ham\tsee you at {row} at home\n"),
        })
        .collect();
    let config = r#"{ "vocab_size": 700, "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2 }"#;
    fs::write(folder.path().join("rows.tsv"), rows).unwrap();
    fs::write(folder.path().join("config.json"), config).unwrap();
    fs::write(folder.path().join("recipe.toml"), RECIPE).unwrap();
    let tokens =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../luthier-data/tests/fixtures/tokens/bpe-saved");
    fs::copy(tokens.join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    folder
}

#[test]
fn from_a_table_to_answers() {
    let folder = workspace();
    let folder = folder.path();
    let page = fine(folder, &["check", "recipe.toml"]);
    for words in ["text classification", "Texts", "the last token", "Frozen parts", "`embeddings` to `h.0`"] {
        assert!(page.contains(words), "{words} is not in\n{page}");
    }
    fine(folder, &["train", "recipe.toml", "--out", "run"]);
    let metrics = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    for split in ["train", "valid", "test"] {
        let whole =
            |line: &&str| line.contains(&format!("\"split\":\"{split}\"")) && !line.contains("estimate");
        assert!(metrics.lines().any(|line| whole(&line)), "{split} was never evaluated whole");
    }
    assert!(metrics.lines().any(|line| line.contains("\"estimate\":true")));
    let test = fine(folder, &["eval", "run", "--split", "test", "--checkpoint", "last"]);
    assert!(test.contains("100.0 %"), "{test}");
    assert!(test.contains("rows.tsv:"), "the worst rows are not named: {test}");

    let mut child = engine(folder, &["predict", "run", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"call 99 now, \"free prize\nsee you at 3 at home\n\n\xff\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let classes: Vec<_> = said.iter().map(|row| row["class"].as_str()).collect();
    assert_eq!((classes.len(), classes[0], classes[1]), (4, Some("spam"), Some("ham")));
    assert!(said[2]["error"].is_string());

    fs::write(folder.join("odd.txt"), [b"caf\xe9\n".as_slice(), &b"call now ".repeat(40), b"\n\n"].concat())
        .unwrap();
    let output = run(folder, &["predict", "run", "odd.txt"]);
    let told = stderr(&output);
    for words in ["text 1 is not UTF-8", "text 3 is left out: it is empty", "1 text is longer than 32 tokens"]
    {
        assert!(told.contains(words), "{words} is not in: {told}");
    }
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}

#[test]
fn what_people_get_wrong() {
    let folder = workspace();
    let folder = folder.path();
    fs::write(folder.join("one.tsv"), "spam\ta b\n".repeat(20)).unwrap();
    fs::write(folder.join("short.tsv"), "spam\ta\nham\tb\nspam\n".repeat(5)).unwrap();
    fs::write(folder.join("torn.json"), "{ \"vocab_size\": ").unwrap();
    let rows: &[(&[&str], &[&str])] = &[
        (&["data.path=one.tsv"], &["one.tsv", "spam"]),
        (&["data.path=short.tsv"], &["short.tsv:3"]),
        (&["data.columns={ label = 0, text = 7 }"], &["7"]),
        (&["data.tokenizer=config.json"], &["config.json"]),
        (&["model.config=torn.json"], &["torn.json"]),
        (&["data.max_length=64"], &["64", "32"]),
        (&["data.pad_token=<none>"], &["<none>"]),
        (&["model.train=[\"h.7.*\"]"], &["h.7.*"]),
        (&["model.arch=resnet18"], &["model"]),
    ];
    for (sets, words) in rows {
        let mut call = vec!["train", "recipe.toml", "--out", "bad"];
        for set in *sets {
            call.extend(["--set", *set]);
        }
        let output = run(folder, &call);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{sets:?}: {told}");
        assert!(words.iter().all(|word| told.contains(word)), "{sets:?}: {told}");
        assert!(told.contains("hint:"), "{sets:?} has no hint: {told}");
        assert!(!folder.join("bad").exists(), "{sets:?} left something behind");
    }
}

#[test]
fn an_export_brings_its_tokenizer_under_the_names_that_others_look_for() {
    let folder = workspace();
    let folder = folder.path();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../luthier-data/tests/fixtures/tokens/bpe-files");
    fs::create_dir(folder.join("old")).unwrap();
    fs::copy(files.join("vocab.json"), folder.join("old/encoder.json")).unwrap();
    fs::copy(files.join("merges.txt"), folder.join("old/vocab.bpe")).unwrap();
    let rows =
        [("tokenizer.json", vec!["tokenizer.json"]), ("old/encoder.json", vec!["merges.txt", "vocab.json"])];
    for (tokenizer, names) in rows {
        let run = format!("run-{}", tokenizer.replace('/', "-"));
        let set = format!("data.tokenizer={tokenizer}");
        fine(folder, &["train", "recipe.toml", "--out", &run, "--set", &set, "--set", "train.epochs=1"]);
        let out = format!("{run}-hf");
        fine(folder, &["export", &run, "--to", "hf", &out]);
        let mut found: Vec<String> = fs::read_dir(folder.join(&out))
            .unwrap()
            .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != "config.json" && name != "model.safetensors")
            .collect();
        found.sort();
        assert_eq!(found, names, "{tokenizer}");
    }
}
