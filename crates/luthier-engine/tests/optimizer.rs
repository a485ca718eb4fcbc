//! A run's optimizer, opened after any update, on the built program.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;

use common::{fine, run, stderr};
use serde_json::Value;
use tempfile::TempDir;

/// A run of 60 updates of `recipes/table/rent.toml`, in `run`.
fn trained(sets: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/table");
    for name in ["flats.csv", "rent.toml"] {
        fs::copy(recipes.join(name), folder.path().join(name)).unwrap();
    }
    let mut words = vec!["train", "rent.toml", "--out", "run", "--set", "train.epochs=2"];
    words.extend(["--set", "model.layers=[{ linear = 8 }, { dropout = 0.2 }, { linear = 1 }]"]);
    words.extend(sets.iter().flat_map(|set| ["--set", set]));
    fine(folder.path(), &words);
    folder
}

fn opened(folder: &Path, words: &[&str]) -> Value {
    let all = [&["optimizer", "run", "--json"], words].concat();
    serde_json::from_str(&fine(folder, &all)).unwrap()
}

/// Every file of a folder with its content.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(content(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn an_update_without_a_checkpoint_is_repeated_to_the_last_bit() {
    let every = trained(&["train.checkpoint={ every = { steps = 1 }, keep = 100 }"]);
    let few = trained(&[]);
    let before = content(&few.path().join("run"));
    for at in ["7", "50"] {
        let (kept, repeated) = (opened(every.path(), &["--at", at]), opened(few.path(), &["--at", at]));
        let part = |told: &Value, of: &str| {
            let tensors = told["optimizers"][0]["tensors"].as_array().unwrap().clone();
            tensors.into_iter().map(|tensor| tensor[of].clone()).collect::<Vec<_>>()
        };
        assert_eq!(kept["update"], repeated["update"]);
        for of in ["name", "norm", "state"] {
            assert_eq!(part(&kept, of), part(&repeated, of), "{of} after update {at}");
        }
        assert!(part(&repeated, "gradient").iter().all(|gradient| gradient.as_f64().unwrap() > 0.0));
        // update 50 was looked at by the run itself, update 7 was not
        let known = part(&kept, "gradient");
        if at == "50" {
            assert_eq!(known, part(&repeated, "gradient"));
        } else {
            assert!(known.iter().all(Value::is_null), "{known:?}");
        }
    }
    assert!(before == content(&few.path().join("run")), "the run directory has changed");
}

#[test]
fn what_is_told_is_what_the_checkpoint_holds() {
    let folder = trained(&[]);
    let told = opened(folder.path(), &[]);
    assert_eq!((&told["update"], &told["optimizers"][0]["steps"]), (&Value::from(60), &Value::from(60)));
    let file = common::newest(&folder.path().join("run")).join("optimizer.safetensors");
    let weights = luthier_weights::read(&file).unwrap();
    let first = &told["optimizers"][0]["tensors"][0];
    let name = first["name"].as_str().unwrap();
    for (index, kind) in ["exp_avg", "exp_avg_sq"].iter().enumerate() {
        let raw = &weights.tensors[&format!("{name}.{kind}")];
        let values: Vec<f64> = raw
            .bytes
            .chunks_exact(4)
            .map(|four| f64::from(f32::from_le_bytes(four.try_into().unwrap())))
            .collect();
        let told = &first["state"][index];
        let figure = |of: &str| told[of].as_f64().unwrap();
        assert_eq!(told["kind"], *kind);
        let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-5 * b.abs(), "{kind}: {a} and {b}");
        close(figure("norm"), values.iter().map(|x| x * x).sum::<f64>().sqrt());
        close(figure("mean"), values.iter().sum::<f64>() / values.len() as f64);
        close(figure("largest"), values.iter().fold(0.0, |most: f64, x| most.max(x.abs())));
    }
}

#[test]
fn the_page_has_defaults_groups_and_state() {
    let folder = trained(&[
        "optim.groups=[{ match = \"2.*\", lr_scale = 10 }]",
        "schedule={ type = \"StepLR\", step_size = 1, gamma = 0.5, unit = \"epoch\" }",
    ]);
    let page = fine(folder.path(), &["optimizer", "run", "--at", "50"]);
    for part in
        ["after update 50 of 60", "betas [0.9 0.999]", "param_groups", "0.weight", "exp_avg", "exp_avg_sq"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    // the second epoch has half the rate, and the last layer ten times that
    let told = opened(folder.path(), &["--at", "50"]);
    let rates: Vec<f64> = told["optimizers"][0]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["lr"].as_f64().unwrap())
        .collect();
    assert!(
        (rates[1] / rates[0] - 10.0).abs() < 1e-9 || (rates[0] / rates[1] - 10.0).abs() < 1e-9,
        "{rates:?}"
    );
    let first = opened(folder.path(), &["--at", "5"]);
    let early = first["optimizers"][0]["groups"][0]["lr"].as_f64().unwrap();
    assert!((early / rates[0] - 2.0).abs() < 1e-9, "{early} {rates:?}");
}

#[test]
fn updates_that_cannot_be_opened_are_told() {
    let folder = trained(&[]);
    let said = stderr(&run(folder.path(), &["optimizer", "run", "--at", "61"]));
    assert!(said.contains("the run has no update 61: 60 are planned"), "{said}");
    fs::remove_dir_all(folder.path().join("run/checkpoints")).unwrap();
    let said = stderr(&run(folder.path(), &["optimizer", "run"]));
    assert!(said.contains("no whole checkpoint") && said.contains("--at UPDATE"), "{said}");
    assert_eq!(opened(folder.path(), &["--at", "3"])["optimizers"][0]["steps"], 3);
    let said = stderr(&run(folder.path(), &["optimizer", "run", "--at", "0"]));
    assert!(said.contains("--at"), "{said}");
}
