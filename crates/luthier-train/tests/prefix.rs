//! Frozen leading parts run once per sample, and nothing else changes.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::{alone, recipe, resume, timeless, train, train_with_cache};
use luthier_plan::{Event, PrefixPlan};
use luthier_train::prepare;

/// The first half of the network is frozen, and training pictures are not changed at random.
const FROZEN: &[&str] = &[
    "model.freeze=[\"conv1.*\", \"bn1.*\", \"layer1.*\", \"layer2.*\"]",
    "data.transform.train=[{ op = \"Resize\", size = [64, 64] }, { op = \"Normalize\", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }]",
];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [FROZEN, more].concat()
}

fn prefix(sets: &[&str]) -> (Option<PrefixPlan>, Vec<String>) {
    let _alone = alone();
    let plan = prepare(&recipe(sets), common::data(), "cpu").unwrap().plan;
    (plan.stages[0].prefix.clone(), plan.notes)
}

/// Losses of the updates and of the evaluations, in order.
fn losses(events: &[Event]) -> Vec<f64> {
    let loss = |event: &Event| match event {
        Event::StepEnd(step) => Some(step.loss),
        Event::EvalEnd(eval) => Some(eval.loss),
        _ => None,
    };
    events.iter().filter_map(loss).collect()
}

#[test]
fn the_plan_says_what_is_kept_and_what_it_saves() {
    let (prefix, _) = prefix(&with(&["eval.at_end=[\"train\", \"valid\"]"]));
    let prefix = prefix.unwrap();
    // stem, layer1.0, layer1.1, layer2.0, layer2.1
    assert_eq!(prefix.parts, 5);
    assert_eq!(prefix.samples, common::PICTURES as u64);
    // 64 px are 8 px behind layer2, of 128 channels
    assert_eq!(prefix.bytes, 25 * 8 * 8 * 128 * 4);
    // two epochs of 17, two evaluations of 8, one of the 17 at the end; each of the 25 runs once
    assert_eq!(prefix.runs_saved, 2 * 17 + 2 * 8 + 17 - 25);
    assert!(!prefix.on_disk);
}

/// A batch of another size is rounded otherwise in its last bit, and training with BatchNorm over batches of four makes
/// ten times as much of it with every update at a rate of 0.01: a small rate shows the losses, not the chaos.
#[test]
fn losses_are_the_same_as_without_it() {
    for more in [&[][..], &["eval.at_end=[\"train\"]", "eval.batches=1", "eval.every={ steps = 2 }"]] {
        let more = [more, &["optim.lr=1e-5"]].concat();
        let kept = train(&with(&more), None);
        let anew = train(&with(&[&more[..], &["train.prefix_cache.enabled=false"]].concat()), None);
        let (kept, anew) = (losses(&kept.heard), losses(&anew.heard));
        assert_eq!(kept.len(), anew.len());
        assert!(kept.len() > 10);
        for (kept, anew) in kept.iter().zip(&anew) {
            assert!((kept - anew).abs() <= 1e-6 * anew.abs().max(1.0), "{kept} is not {anew}");
        }
    }
}

#[test]
fn a_file_takes_what_memory_has_no_room_for_and_is_found_again() {
    let cache = tempfile::TempDir::new().unwrap();
    let sets = with(&["train.prefix_cache.memory_mib=0"]);
    assert!(prefix(&sets).0.unwrap().on_disk);
    let run = |sets: &[&str]| {
        let run = train_with_cache(sets, cache.path());
        let ran = run.heard.iter().find_map(|event| match event {
            Event::PrefixEnd { run, .. } => Some(*run),
            _ => None,
        });
        (losses(&run.heard), ran)
    };
    let (first, ran) = run(&sets);
    assert_eq!(ran, Some(25));
    let (second, ran) = run(&sets);
    assert_eq!((second, ran), (first.clone(), Some(0)));
    // in memory the numbers are the same to the last bit
    assert_eq!(losses(&train(FROZEN, None).heard), first);
    // other weights, another file
    let (_, ran) = run(&with(&["train.prefix_cache.memory_mib=0", "seed=7"]));
    assert_eq!(ran, Some(25));
}

#[test]
fn it_is_not_used_where_it_would_not_be_exact() {
    let freeze = FROZEN[0];
    let (none, notes) = prefix(&[freeze]);
    assert_eq!(none, None);
    assert!(notes.iter().any(|note| note.contains("changed at random")), "{notes:?}");
    // the first part trains
    assert_eq!(prefix(&["model.freeze=[\"layer1.*\"]", FROZEN[1]]).0, None);
    let (none, notes) = prefix(&with(&["train.prefix_cache.disk_mib=0"]));
    assert_eq!(none, None);
    assert!(notes.iter().any(|note| note.contains("train.prefix_cache.disk_mib")), "{notes:?}");
}

const STAGES: &str = "stages=[{ name = \"head\", epochs = 1, train = [\"fc.*\"] }, \
    { name = \"top\", epochs = 1, train = [\"layer4.*\", \"fc.*\"], lr_scale = 0.5 }]";

#[test]
fn stages_train_in_turn() {
    let run = train(&with(&[STAGES]), None);
    let begun: Vec<(String, u64)> = run
        .heard
        .iter()
        .filter_map(|event| match event {
            Event::StageBegin { name, at, .. } => Some((name.clone(), at.update)),
            _ => None,
        })
        .collect();
    assert_eq!(begun, [("head".to_string(), 0), ("top".to_string(), 5)]);
    let rates: Vec<f64> = run
        .heard
        .iter()
        .filter_map(|event| match event {
            Event::StepEnd(step) => Some(step.lr[0]),
            _ => None,
        })
        .collect();
    assert_eq!(rates, [0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.005, 0.005, 0.005]);
    // the prefix of the first stage is longer than that of the second
    let prefixes = run.heard.iter().filter(|event| matches!(event, Event::PrefixEnd { .. })).count();
    assert_eq!(prefixes, 2);
    let (start, end) = {
        let _alone = alone();
        let sets = with(&[STAGES]);
        let plan = prepare(&recipe(&sets), common::data(), "cpu").unwrap();
        (plan.model.state(), run.last().raw())
    };
    for (name, tensor) in start {
        let bytes = &end.tensors[&name].bytes;
        let moved = luthier_model::tensor_of(&name, &end.tensors[&name]).unwrap() != tensor;
        let trained = name.starts_with("layer4") || name.starts_with("fc");
        assert_eq!(moved, trained, "{name} ({} bytes)", bytes.len());
    }
}

#[test]
fn a_run_in_stages_goes_on_as_if_it_had_not_stopped() {
    let sets = with(&[STAGES, "train.checkpoint.every={ steps = 1 }", "train.checkpoint.keep=99"]);
    let whole = train(&sets, None);
    // in the first stage, at its end, at the beginning of the second, in it
    for stop in [2, 5, 6, 8] {
        let part = train(&sets, Some(stop));
        let mut heard: Vec<Event> = part.heard.iter().filter_map(timeless).collect();
        let rest = resume(&sets, part, None);
        heard.extend(rest.heard.iter().filter_map(timeless));
        let all: Vec<Event> = whole.heard.iter().filter_map(timeless).collect();
        assert_eq!(heard, all, "stopped after {stop}");
        let (a, b) = (whole.last(), rest.last());
        for (name, tensor) in &a.raw().tensors {
            assert_eq!(tensor.bytes, b.raw().tensors[name].bytes, "{name}, stopped after {stop}");
        }
    }
}

#[test]
fn what_no_stage_trains_is_written_once() {
    use std::os::unix::fs::MetadataExt;
    let run = train(&with(&["train.checkpoint.every={ steps = 5 }"]), None);
    let files: Vec<_> = std::fs::read_dir(run.checkpoints())
        .unwrap()
        .map(|folder| std::fs::metadata(folder.unwrap().path().join("frozen.safetensors")).unwrap())
        .collect();
    assert!(files.len() > 1);
    assert!(files.iter().all(|file| file.ino() == files[0].ino()), "each checkpoint has a file of its own");
}
