//! A small ViT with LoRA from a recipe: what the plan says, what is trained, resuming, exporting, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;

use common::{RECIPE, fine, newest, run, stderr, workspace};
use serde_json::Value;
use tempfile::TempDir;

const VIT: &str = "arch = \"vit\"\nweights = \"none\"\nvit = { size = \"tiny\", patch_size = 16, hidden_size = 32, \
                   num_hidden_layers = 2, num_attention_heads = 2 }\n";

fn recipe(lora: &str) -> String {
    RECIPE.replace("arch = \"resnet18\"\nweights = \"none\"\n", &format!("{VIT}lora = {lora}\n"))
}

fn folder(lora: &str) -> TempDir {
    let folder = workspace();
    fs::write(folder.path().join("recipe.toml"), recipe(lora)).unwrap();
    folder
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_resumes_exactly_and_is_exported() {
    let folder = folder("{ r = 2, alpha = 4.0, dropout = 0.3 }");
    let folder = folder.path();
    let page = fine(folder, &["check", "recipe.toml"]);
    assert!(
        page.contains("LoRA of rank 2 and scale 2 on 4 of 13 linear layers, `classifier` whole"),
        "{page}"
    );
    let common =
        ["-q", "--set", "train.checkpoint={ every = { steps = 2 }, keep = 9 }", "--set", "optim.lr=0.1"];
    let train = |words: &[&str]| fine(folder, &[&["train", "recipe.toml"][..], words, &common].concat());
    train(&["--out", "whole"]);
    train(&["--out", "again"]);
    // taken back to an earlier checkpoint, it goes the same way again
    fs::remove_dir_all(newest(&folder.join("again"))).unwrap();
    fine(folder, &["train", "-q", "--resume", "again"]);
    for name in ["model.safetensors", "optimizer.safetensors"] {
        let [a, b] = ["whole", "again"].map(|run| fs::read(newest(&folder.join(run)).join(name)).unwrap());
        assert_eq!(a, b, "{name}");
    }
    let plan = json(&folder.join("whole/plan.json"));
    let trained = |tensor: &&Value| tensor["trainable"].as_bool().unwrap();
    let tensors = plan["model"]["tensors"].as_array().unwrap();
    assert_eq!(tensors.iter().filter(trained).count(), 4 * 2 + 2);
    assert_eq!(plan["model"]["lora"]["modules"].as_array().unwrap().len(), 4);

    for words in [&["--to", "hf"][..], &["--to", "safetensors"], &["--to", "peft", "--merge"]] {
        let refused = run(folder, &[&["export", "whole", "out"][..], words].concat());
        assert_eq!(refused.status.code(), Some(2), "{words:?}");
        assert!(stderr(&refused).contains("--merge"), "{}", stderr(&refused));
        assert!(!folder.join("out").exists());
    }
    fine(folder, &["export", "whole", "--to", "peft", "adapter"]);
    let config = json(&folder.join("adapter/adapter_config.json"));
    assert_eq!((&config["r"], &config["lora_alpha"]), (&2.into(), &4.0.into()));
    fine(folder, &["export", "whole", "--to", "hf", "--merge", "merged"]);
    assert!(folder.join("merged/model.safetensors").is_file());

    // a base and an adapter over it: as the run left it
    let base = recipe("{ adapter = \"adapter\" }").replace(VIT, "arch = \"vit\"\nweights = \"base\"\n");
    fs::write(folder.join("on.toml"), base).unwrap();
    let plain = recipe("").replace("lora = \n", "freeze = [\"vit.*\"]\n");
    fs::write(folder.join("plain.toml"), plain).unwrap();
    fine(folder, &["train", "plain.toml", "--out", "plain", "-q", "--set", "optim.lr=1e-12"]);
    fine(folder, &["export", "plain", "--to", "hf", "base"]);
    let page = fine(folder, &["check", "on.toml"]);
    assert!(page.contains("10 tensors of the adapter"), "{page}");
    let refused = run(folder, &["export", "plain", "--to", "peft", "none"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("was trained without LoRA"), "{}", stderr(&refused));
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    for (lora, place, message) in [
        ("{ r = 0, alpha = 4.0 }", "recipe.toml:24:14", "`model.lora.r` must be at least 1"),
        ("{ r = 2 }", "recipe.toml:24:8", "`alpha` is missing"),
        (
            "{ alpha = 4.0, target_modules = [\"query\", \"vlaue\"] }",
            "recipe.toml:24:50",
            "`vlaue` matches no linear layer",
        ),
        (
            "{ alpha = 4.0, modules_to_save = [] }",
            "recipe.toml:24:",
            "`classifier` starts from random weights and would stay as it is",
        ),
        ("{ adapter = \"nowhere\" }", "", "cannot read the adapter"),
    ] {
        let folder = folder(lora);
        let refused = run(folder.path(), &["check", "recipe.toml"]);
        let told = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.contains(place) && told.contains(message), "{lora}: {told}");
        // what a number has to be says what to do
        assert!(told.contains("hint:") || told.contains("must be"), "{told}");
    }
}
