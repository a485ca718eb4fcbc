//! The shipped recipes of replay on a small scale: a ViT is trained and exported, fine-tuned with the settings of the one who
//! asked, and the doctor says why that does not converge.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;

use common::{fine, run, stderr};
use luthier_data::scenes::{SceneOptions, render};
use serde_json::Value;
use tempfile::TempDir;

const SIZE: u32 = 32;

/// A folder with the recipes, `scenes` and `photos`, which are rendered ones of two shapes.
fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/replay");
    for name in ["small.toml", "as-asked-small.toml"] {
        fs::copy(recipes.join(name), at.join(name)).unwrap();
    }
    let scenes = SceneOptions { count: 120, seed: 3, size: SIZE, valid: 0.2, ..SceneOptions::default() };
    render(&at.join("scenes"), &scenes, &|_, _| {}).unwrap();
    let others = SceneOptions { count: 160, seed: 4, size: SIZE, ..SceneOptions::default() };
    render(&at.join("others"), &others, &|_, _| {}).unwrap();
    fs::create_dir(at.join("photos")).unwrap();
    for (shape, name) in [("cube", "ants"), ("sphere", "bees")] {
        fs::rename(at.join("others").join(shape), at.join("photos").join(name)).unwrap();
    }
    folder
}

/// The words that make a recipe small.
fn small(more: &[&str]) -> Vec<String> {
    let chain = format!(
        "[{{ op = \"Resize\", size = [{SIZE}, {SIZE}] }}, {{ op = \"Normalize\", mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, \
         0.5] }}]"
    );
    let mut sets: Vec<String> = Vec::new();
    for stream in 0..2 {
        for kind in ["train", "eval"] {
            sets.push(format!("streams[{stream}].data.transform.{kind}={chain}"));
        }
    }
    sets.push("train.batch_size=4".into());
    sets.push("train.precision=fp32".into());
    sets.extend(more.iter().map(ToString::to_string));
    sets.into_iter().flat_map(|set| ["--set".into(), set]).collect()
}

fn words<'a>(first: &[&'a str], sets: &'a [String]) -> Vec<&'a str> {
    first.iter().copied().chain(sets.iter().map(String::as_str)).collect()
}

#[test]
fn the_settings_that_were_asked_about_are_explained_in_order_and_repaired_together() {
    let folder = workspace();
    let at = folder.path();
    let shape = "model.vit={ size = \"tiny\", patch_size = 8, hidden_size = 32, num_hidden_layers = 1, num_attention_heads = 2 }";
    let pretrain = small(&[
        shape,
        "train.epochs=8",
        "streams[0].schedule.warmup.steps=5",
        "streams[1].schedule.warmup.steps=5",
    ]);
    // where the weights are missing, the rest of every stream is judged all the same
    let sets = small(&[]);
    let told = verdict(at, &words(&["doctor", "as-asked-small.toml", "--static", "--json"], &sets), &[1]);
    let places = |told: &Value, code: &str| -> Vec<String> {
        let findings = told["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == code);
        findings.map(|finding| finding["where"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(places(&told, "PLN001"), ["model.weights"], "{told:#}");
    let schedules = ["streams[0].schedule.unit", "streams[1].schedule.unit"];
    let rates = ["streams[0].optim.lr", "streams[1].optim.lr"];
    assert_eq!(places(&told, "SCH001"), schedules, "{told:#}");
    assert_eq!(places(&told, "FIN006"), rates, "{told:#}");

    fine(at, &words(&["train", "small.toml", "--out", "small", "-q"], &pretrain));
    fine(at, &["export", "small", "--to", "hf", "small-vit", "-q"]);

    // before any training: the schedule, the rate, the weights that two optimizers share, the curves, in this order
    let told = verdict(at, &words(&["doctor", "as-asked-small.toml", "--static", "--json"], &sets), &[1]);
    let findings = told["findings"].as_array().unwrap();
    let place = |code: &str| {
        let at = findings.iter().position(|finding| finding["code"] == code);
        at.unwrap_or_else(|| panic!("{code} is not in {told:#}"))
    };
    let order = ["SCH001", "FIN006", "OPT010", "LOS007"].map(place);
    assert!(order.is_sorted(), "{order:?}: {told:#}");
    // the schedule of each stream
    assert_eq!(places(&told, "SCH001"), schedules);
    assert_eq!(places(&told, "FIN006"), rates);

    // all cures are tried at once as well; on so little data nothing is proved by it, and what a trial refutes is a note
    let prove = ["doctor", "as-asked-small.toml", "--prove", "--budget", "20s", "--json"];
    let told = verdict(at, &words(&prove, &sets), &[0, 1]);
    let repaired = &told["repaired"];
    assert_eq!(repaired["codes"], serde_json::json!(["SCH001", "FIN006", "OPT010"]), "{told:#}");
    assert_eq!(repaired["patch"]["train.interleave"], "sum", "{told:#}");
    assert_eq!(repaired["patch"]["streams[0].schedule.unit"], "epoch", "{told:#}");
    assert!(repaired["patch"].get("streams[1].optim.lr").is_none(), "{told:#}");
}

/// A verdict, with one of these exit codes.
fn verdict(folder: &Path, words: &[&str], codes: &[i32]) -> Value {
    let output = run(folder, words);
    let code = output.status.code();
    assert!(code.is_some_and(|code| codes.contains(&code)), "{code:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}
