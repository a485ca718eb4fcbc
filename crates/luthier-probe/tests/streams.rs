//! Probes and trials of a recipe with several heads and streams: each stream is measured, cut and judged.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::time::Duration;

use common::{alone, loaded, prepared};
use luthier_doctor::Outcome;
use luthier_probe::{Patch, trial};
use luthier_train::Prepared;
use serde_json::json;

/// A small ViT that learns yaw and shape from all scenes, and is shown them again for the shape alone.
const STREAMS: &str = r#"
name = "streams"
task = "multi-task"
[model]
arch = "vit"
weights = "none"
vit = { size = "tiny", patch_size = 8, hidden_size = 32, num_hidden_layers = 1, num_attention_heads = 2 }
[model.heads]
yaw = { weight = 0.5 }
shape = { column = "class" }
[data.transform]
train = [{ op = "Resize", size = [32, 32] }, { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }]
eval = [{ op = "Resize", size = [32, 32] }, { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }]
[train]
epochs = 10
batch_size = 6
precision = "fp32"
[[streams]]
name = "new"
optim = { type = "Adam", lr = 1e-3 }
data = { train = "scenes", attributes = "scenes/attributes.csv", split = { valid = 0.25 }, workers = 1 }
[[streams]]
name = "replay"
loss_weights = { shape = 1.0 }
train = ["shape.*"]
optim = { type = "Adam", lr = 1e-3 }
data = { train = "scenes", split = { valid = 0.25 }, workers = 1 }
"#;

/// The recipe with the pictures' transforms where each stream has its data.
fn text() -> String {
    let transform = STREAMS.split("[data.transform]\n").nth(1).unwrap().split("[train]").next().unwrap();
    let inline = transform.trim().replace('\n', ", ");
    STREAMS
        .replace(&format!("[data.transform]\n{transform}"), "")
        .replace("workers = 1 }", &format!("workers = 1, transform = {{ {inline} }} }}"))
}

#[test]
fn every_stream_is_measured_and_the_model_is_as_it_was() {
    let _alone = alone();
    let before = prepared(&text(), &[]);
    let wanted = |prepared: &Prepared| -> Vec<(String, bool, tch::Tensor)> {
        let entries = prepared.model.store.entries().iter();
        entries.map(|e| (e.name.clone(), e.tensor.requires_grad(), e.tensor.detach().copy())).collect()
    };
    let (plan, start) = (before.plan.clone(), wanted(&before));
    let (facts, after) = luthier_probe::probe(before, Duration::from_secs(60)).unwrap();
    assert_eq!(after.plan, plan);
    for ((name, wants, value), (_, wanted, now)) in start.iter().zip(wanted(&after)) {
        assert!(*wants == wanted && value.equal(&now), "{name}");
    }
    assert_eq!(facts.streams.len(), 1);
    let (name, replay) = &facts.streams[0];
    assert_eq!(name, "replay");
    // what a model that knows nothing has: of the first, half of yaw's and all of the shape's
    let (yaw, shape) = (8f64.ln(), 8f64.ln());
    let expected = |facts: &luthier_doctor::ProbeFacts| facts.start.as_ref().unwrap().expected.unwrap();
    assert!((expected(&facts) - (0.5 * yaw + shape)).abs() < 1e-9, "{:?}", facts.start);
    assert!((expected(replay) - shape).abs() < 1e-9);
    // each looks at what its own optimizer moves
    let moved = |facts: &luthier_doctor::ProbeFacts| -> Vec<String> {
        facts.steps[0].tensors.iter().map(|tensor| tensor.name.clone()).collect()
    };
    assert_eq!(moved(replay), ["shape.weight", "shape.bias"]);
    assert!(moved(&facts).len() > 10);
    for own in [&facts, replay] {
        assert!(own.stuck.is_empty() && own.drifted.is_empty(), "{:?} {:?}", own.stuck, own.drifted);
        assert!(
            own.zeroed.is_some() || own.skipped.iter().any(|(name, _)| name == "overfit"),
            "{:?}",
            own.skipped
        );
    }
}

fn tried(sets: &[&str], patch: &[(&str, serde_json::Value)], seconds: u64) -> luthier_probe::Trial {
    let _alone = alone();
    let patch: Patch = patch.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    trial(&loaded(&text(), sets), &patch, 2, Duration::from_secs(seconds), "cpu").unwrap()
}

#[test]
fn a_trial_runs_every_stream_and_is_judged_by_all() {
    let wild = ["streams[0].optim.lr=1.0", "streams[1].optim.lr=1.0"];
    let cure = [("streams[0].optim.lr", json!(1e-4)), ("streams[1].optim.lr", json!(1e-4))];
    let found = tried(&wild, &cure, 120);
    assert_eq!(found.proof.verdict, Outcome::Proved, "{found:?}");
    assert_eq!(found.proof.metric, "valid.loss (sum of new and replay)");
    // 16 of 24 in batches of six, ten times; 16 of each stream
    assert!(found.whole && found.samples == 32, "{found:?}");
    for arm in found.before.iter().chain(&found.after).filter(|arm| arm.loss.is_some()) {
        assert_eq!((arm.updates, arm.streams.len()), (30, 2), "{arm:?}");
        let sum: f64 = arm.streams.iter().map(|stream| stream.loss).sum();
        assert!((arm.loss.unwrap() - sum).abs() < 1e-9, "{arm:?}");
    }
    // the second stream counts: at a wild rate it is the worse, and what the first one does is not asked
    let still = ["streams[0].optim.lr=1e-9", "streams[1].optim.lr=1e-9"];
    let second = tried(&still, &[("streams[1].optim.lr", json!(1.0))], 120);
    assert_eq!(second.proof.verdict, Outcome::Refuted, "{second:?}");
}

#[test]
fn every_stream_is_cut_in_the_same_way() {
    let found = tried(&["train.epochs=3000"], &[("streams[0].optim.lr", json!(2e-3))], 8);
    assert!(!found.whole && found.before.iter().all(|arm| arm.updates < 9_000), "{found:?}");
    assert!(found.seconds < 16.0, "{}", found.seconds);
}

#[test]
fn one_optimizer_of_two_takes_the_others_out() {
    let gone = ["streams[1].optim", "streams[1].train"].map(|key| (key, json!(null)));
    let cure = [&[("train.interleave", json!("sum"))][..], &gone].concat();
    let changed: Patch = cure.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let before = loaded(&text(), &["streams[1].optim.lr=0.5"]);
    let after = luthier_probe::patched(&before, &changed).unwrap();
    assert!(after.recipe.streams[1].optim.is_none() && after.recipe.streams[0].optim.is_some());
    // and a further change stands on it
    let more = Patch::from([("streams[0].optim.lr".to_owned(), json!(0.1))]);
    let twice = luthier_probe::patched(&after, &more).unwrap();
    assert!(twice.recipe.streams[1].optim.is_none());
    assert_eq!(twice.recipe.of_stream(0).optim.lr, 0.1);
    let found = tried(&[], &cure, 60);
    assert!(found.after.iter().all(|arm| arm.loss.is_some() && arm.streams.len() == 2), "{found:?}");
}
