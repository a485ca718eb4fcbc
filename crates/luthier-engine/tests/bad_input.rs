//! What people get wrong: each is a sentence with a hint and an exit code, and leaves nothing half-written.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;

use common::{RECIPE, copy, engine, fine, newest, run, stderr, workspace};

fn classes(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn recipes_and_folders_that_cannot_be() {
    let folder = workspace();
    let folder = folder.path();
    let empty = copy(folder, "empty-class");
    for file in fs::read_dir(&classes(&empty)[1]).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let one = copy(folder, "one-class");
    for class in &classes(&one)[1..] {
        fs::remove_dir_all(class).unwrap();
    }
    let unknown = copy(folder, "unknown-class");
    fs::rename(&classes(&unknown)[0], unknown.join("zebra")).unwrap();
    let broken = copy(folder, "broken");
    let picture = classes(&classes(&broken)[0])[0].clone();
    fs::write(&picture, b"not a picture at all").unwrap();
    fs::write(folder.join("typo.toml"), RECIPE.replace("momentum", "momentun")).unwrap();
    fs::write(folder.join("type.toml"), RECIPE.replace("epochs = 2", "epochs = \"two\"")).unwrap();
    fs::write(
        folder.join("valid.toml"),
        RECIPE.replace("split = { valid = 0.25 }", "valid = \"unknown-class\""),
    )
    .unwrap();
    fs::write(folder.join("a-file"), "").unwrap();

    // (what is wrong, words, what the message says)
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("unknown key", &["train", "typo.toml"], &["typo.toml:", "momentun", "did you mean `momentum`"]),
        ("wrong type", &["train", "type.toml"], &["type.toml:", "epochs"]),
        ("missing recipe", &["train", "nowhere.toml"], &["nowhere.toml", "no such file"]),
        ("missing data", &["train", "recipe.toml", "--set", "data.train=nowhere"], &["nowhere"]),
        (
            "empty class folder",
            &["train", "recipe.toml", "--set", "data.train=empty-class"],
            &["empty-class"],
        ),
        ("one class only", &["train", "recipe.toml", "--set", "data.train=one-class"], &["one-class"]),
        ("class in valid but not in train", &["train", "valid.toml"], &["zebra"]),
        ("not a picture", &["train", "recipe.toml", "--set", "data.train=broken"], &["not", "picture"]),
        (
            "pictures smaller than the crop",
            &["train", "recipe.toml", "--set", "data.transform.eval=[{ op = \"CenterCrop\", size = 224 }]"],
            &["smaller", "224"],
        ),
        (
            "missing weights",
            &["train", "recipe.toml", "--set", "model.weights=nowhere.pth"],
            &["nowhere.pth"],
        ),
        ("no write permission", &["train", "recipe.toml", "--out", "a-file/run"], &["a-file"]),
        (
            "a key that is not there",
            &["train", "recipe.toml", "--set", "optim.rl=1"],
            &["--set", "optim.rl", "did you mean"],
        ),
        ("a run that is none", &["eval", "scenes"], &["scenes", "not a run directory"]),
        (
            "a pattern that moves nothing",
            &["train", "recipe.toml", "--set", "optim.groups=[{ match = \"head.*\", lr_scale = 10 }]"],
            &["head.*", "fc."],
        ),
        (
            "a pattern that freezes nothing",
            &["train", "recipe.toml", "--set", "model.freeze=[\"layer9.*\"]"],
            &["layer9.*", "layer1"],
        ),
        ("a device that is not here", &["train", "recipe.toml", "--device", "cuda:7"], &["cuda:7"]),
    ];
    for (wrong, words, says) in rows {
        let output = run(folder, words);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {said}");
        assert!(said.starts_with("error: "), "{wrong}: {said}");
        assert!(said.contains("hint: "), "{wrong} has no hint: {said}");
        for part in *says {
            assert!(said.contains(part), "{wrong}: `{part}` is not in: {said}");
        }
        assert!(!folder.join("runs").exists(), "{wrong} left a run directory");
    }
}

#[test]
fn a_broken_picture_is_skipped_named_and_counted_where_the_recipe_says_so() {
    let folder = workspace();
    let folder = folder.path();
    let broken = copy(folder, "broken");
    let picture = classes(&classes(&broken)[0])[0].clone();
    let whole = fs::read(&picture).unwrap();
    // the header is right, the rest is missing: found when it is decoded, in the middle of the run
    fs::write(&picture, &whole[..whole.len() / 2]).unwrap();
    let sets = ["--set", "data.train=broken", "--set", "train.epochs=1"];
    let skip =
        [&["train", "recipe.toml", "--out", "skip", "--set", "data.on_error=skip"][..], &sets].concat();
    let output = run(folder, &skip);
    assert!(output.status.success(), "{}", stderr(&output));
    let metrics = fs::read_to_string(folder.join("skip/metrics.jsonl")).unwrap();
    let name = picture.file_name().unwrap().to_string_lossy().into_owned();
    let valid = fs::read_to_string(folder.join("skip/plan.json")).unwrap();
    let in_train = metrics.contains(&name);
    // a picture of the validation split is skipped there
    assert!(in_train || valid.contains(&name), "{metrics}");

    let fail =
        [&["train", "recipe.toml", "--out", "fail", "--set", "data.on_error=fail"][..], &sets].concat();
    let output = run(folder, &fail);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&name), "{}", stderr(&output));
}

#[test]
fn weights_that_do_not_fit_or_are_damaged() {
    let folder = workspace();
    let folder = folder.path();
    fine(folder, &["train", "recipe.toml", "--out", "run", "--set", "train.epochs=1", "-q"]);
    fine(folder, &["export", "run", "--to", "safetensors", "out", "-q"]);
    let weights = fs::read(folder.join("out/model.safetensors")).unwrap();
    fs::write(folder.join("cut.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let mut tampered = weights.clone();
    tampered[20] = b'!';
    fs::write(folder.join("tampered.safetensors"), tampered).unwrap();
    // a zip archive and an old-format pickle, both cut short
    fs::write(folder.join("cut.pth"), b"PK\x03\x04\x14\x00").unwrap();
    fs::write(folder.join("evil.pth"), b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.").unwrap();

    let rows = [
        ("another architecture", "out/model.safetensors", "resnet34", "resnet18"),
        ("cut short", "cut.safetensors", "resnet18", "cut.safetensors"),
        ("tampered", "tampered.safetensors", "resnet18", "tampered.safetensors"),
        ("cut zip", "cut.pth", "resnet18", "cut.pth"),
        ("a pickle that wants to run code", "evil.pth", "resnet18", "os.system"),
    ];
    for (wrong, weights, arch, says) in rows {
        let (weights, arch) = (format!("model.weights={weights}"), format!("model.arch={arch}"));
        let output = run(folder, &["train", "recipe.toml", "--set", &weights, "--set", &arch]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {said}");
        assert!(said.contains(says), "{wrong}: {said}");
    }
}

#[test]
fn a_full_disk_ends_the_run_with_a_sentence_and_nothing_torn() {
    let folder = workspace();
    let folder = folder.path();
    // no file may grow beyond 20 MiB; a ResNet-18 has 45. Ignored, the signal becomes the error that a full disk gives
    let engine = engine(folder, &[]).get_program().to_string_lossy().into_owned();
    let script = format!("trap '' XFSZ; ulimit -f 20480; exec {engine} train recipe.toml --out run -q");
    let output =
        std::process::Command::new("bash").args(["-c", &script]).current_dir(folder).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("model.safetensors") && said.contains("hint: "), "{said}");
    let left: Vec<_> = fs::read_dir(folder.join("run/checkpoints")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");

    // not even the plan fits: no run has begun, and no folder looks as if one had
    let script = format!("trap '' XFSZ; ulimit -f 2; exec {engine} train recipe.toml --out early -q");
    let output =
        std::process::Command::new("bash").args(["-c", &script]).current_dir(folder).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("plan.json"), "{said}");
    assert!(!folder.join("early").exists());
}

#[test]
fn a_run_that_diverges_says_why_and_exits_with_1() {
    let folder = workspace();
    let output =
        run(folder.path(), &["train", "recipe.toml", "--out", "run", "--set", "optim.lr=1e30", "-q"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("diverged at update") && said.contains("optim.lr"), "{said}");
    assert!(folder.path().join("run/report.html").exists());
}

#[test]
fn eval_predict_and_export_answer_for_a_run() {
    let folder = workspace();
    let folder = folder.path();
    fine(folder, &["train", "recipe.toml", "--out", "run", "-q"]);
    let eval: serde_json::Value = serde_json::from_str(&fine(folder, &["eval", "run", "--json"])).unwrap();
    assert_eq!(eval["count"], 8);
    let diagonal: u64 = (0..8).map(|i| eval["confusion"][i][i].as_u64().unwrap()).sum();
    assert!((eval["accuracy"].as_f64().unwrap() - diagonal as f64 / 8.0).abs() < 1e-12);
    assert_eq!(eval["worst"].as_array().unwrap().len(), 8);

    fs::write(folder.join("noise.png"), b"nothing").unwrap();
    let rows: serde_json::Value = serde_json::from_str(&fine(
        folder,
        &["predict", "run", "scenes", "noise.png", "--json", "--top", "8"],
    ))
    .unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 26);
    let sum: f64 =
        rows[0]["classes"].as_array().unwrap().iter().map(|row| row["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    assert!(rows[25]["error"].as_str().is_some());
    // what `eval` says of a file and what `predict` says of it are the same
    let worst = &eval["worst"][0];
    let path = format!("scenes/{}", worst["path"].as_str().unwrap());
    let same = rows.iter().find(|row| row["path"] == path).unwrap();
    let guess = worst["guess"].as_u64().unwrap() as usize;
    assert_eq!(same["class"], eval["classes"][guess]);

    for (probe, split, samples) in [("linear", "valid", 8), ("knn", "valid", 8), ("linear", "train", 17)] {
        let told = fine(folder, &["eval", "run", "--probe", probe, "--split", split, "--json"]);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let width = told["width"].as_u64().unwrap();
        assert!((told["count"].as_u64(), told["train"].as_u64()) == (Some(samples), Some(17)), "{told}");
        assert!((0.0..=1.0).contains(&told["accuracy"].as_f64().unwrap()) && width > 100, "{told}");
        // seventeen points in so many dimensions are told apart by a plane
        assert!(split != "train" || told["accuracy"] == 1.0, "{told}");
    }
    assert!(fine(folder, &["eval", "run", "--probe", "knn"]).contains("knn probe"));
    let own = run(folder, &["eval", "run", "--probe", "knn", "--split", "train"]);
    assert_eq!(own.status.code(), Some(2));
    assert!(stderr(&own).contains("own nearest neighbour"));

    // the split is of the same numbers whichever checkpoint is the newest
    let last = newest(&folder.join("run"));
    let named = fine(folder, &["eval", "run", "--json", "--checkpoint", &last.to_string_lossy()]);
    assert!(named.contains("\"accuracy\""));
    let again = run(folder, &["export", "run", "--to", "safetensors", "out"]);
    assert!(again.status.success(), "{}", stderr(&again));
    let twice = run(folder, &["export", "run", "--to", "safetensors", "out"]);
    assert_eq!(twice.status.code(), Some(2), "an export is not overwritten unasked");
}
