//! Several processes on the built program compute what one does.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;

use common::rows::{RECIPE, close, records, weights, workspace};
use common::{fine, run, stderr};
use serde_json::Value;

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
