//! Measuring leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use common::{CONTRAST, PICTURES, TEXTS, alone, prepared, probed};
use luthier_doctor::ProbeFacts;
use luthier_plan::Listener;
use luthier_train::{Job, Prepared, Runner, Session, checkpoint};
use tempfile::TempDir;

/// What a run of this model writes, byte for byte.
fn trained(prepared: Prepared) -> Vec<Vec<u8>> {
    let folder = TempDir::new().unwrap();
    let stop = AtomicBool::new(false);
    let mut listeners: Vec<Box<dyn Listener>> = Vec::new();
    let job = Job::new(Runner::new(prepared.plan, prepared.model).unwrap()).unwrap();
    Session::new(job, folder.path(), &mut listeners, &stop).unwrap().run().unwrap();
    let last = checkpoint::newest(folder.path()).unwrap().0.path;
    let read = |name: &str| std::fs::read(Path::new(&last).join(name)).unwrap();
    vec![read("model.safetensors"), read("optimizer.safetensors")]
}

fn timeless(facts: &ProbeFacts) -> ProbeFacts {
    ProbeFacts { seconds: Vec::new(), ..facts.clone() }
}

#[test]
fn a_run_after_the_probes_is_the_run_without_them() {
    let _alone = alone();
    for (text, sets) in [
        (TEXTS, &["train.ema={ decay = 0.9 }"][..]),
        (TEXTS, &["model.train=[\"h.1.*\", \"ln_f.*\", \"score.*\"]"]),
        (PICTURES, &[]),
        (CONTRAST, &[]),
        (CONTRAST, &["train.precision=fp16"]),
    ] {
        let (_, probed) = luthier_probe::probe(prepared(text, sets), Duration::from_secs(60)).unwrap();
        assert!(trained(probed) == trained(prepared(text, sets)), "{sets:?}");
    }
}

#[test]
fn of_a_contrast_the_first_updates_are_seen_and_whether_it_survives_them() {
    for sets in [&[][..], &["train.precision=fp16", "train.grad_scaler.init_scale=1e12"]] {
        let facts = probed(CONTRAST, sets);
        assert!(facts.inputs.is_some() && facts.steps.len() >= 2 && facts.stuck.is_empty(), "{facts:?}");
        assert!(facts.steps.iter().all(|step| step.ratio > 0.0 && step.grad_norm < 1e6), "{:?}", facts.steps);
        assert!(facts.rehearsal.is_none() && facts.start.is_none() && facts.overfit.is_none());
        let why = facts.skipped.iter().find(|(name, _)| name == "rehearsal").map(|(_, why)| why.as_str());
        assert!(
            why.is_some_and(|why| why.ends_with("it stayed finite for 4 updates")),
            "{:?}",
            facts.skipped
        );
    }
    let lost = probed(CONTRAST, &["optim.lr=1e30"]).rehearsal.unwrap();
    assert_eq!(lost.own.last(), Some(&f64::MAX));
}

#[test]
fn finders_leave_the_model_as_it_was() {
    let _alone = alone();
    let budget = Duration::from_secs(30);
    let (lr, after) = luthier_probe::find_lr(prepared(TEXTS, &[]), budget).unwrap();
    assert!(lr.steepest.is_some_and(|rate| (1e-5..1.0).contains(&rate)), "{lr:?}");
    let limits = luthier_probe::BatchLimits { bytes: None, budget };
    let (sizes, after) = luthier_probe::find_batch(after, limits).unwrap();
    assert_eq!(sizes.points.iter().map(|point| point.size).collect::<Vec<_>>(), [2, 4, 8, 16, 32]);
    assert_eq!(sizes.largest, Some(32));
    let (fits, after) = luthier_probe::overfit_one_batch(after, budget).unwrap();
    assert!(fits.learned && fits.own.samples == 8);
    assert!(trained(after) == trained(prepared(TEXTS, &[])));
    let folder = TempDir::new().unwrap();
    for (name, drawn) in [
        ("lr", lr.draw(&folder.path().join("lr")).unwrap()),
        ("batch", sizes.draw(&folder.path().join("batch")).unwrap()),
        ("overfit", fits.draw(&folder.path().join("overfit")).unwrap()),
    ] {
        assert_eq!(drawn.len(), 3, "{name}");
    }
}

#[test]
fn a_memory_limit_ends_the_search_for_a_batch() {
    let _alone = alone();
    let limits = luthier_probe::BatchLimits { bytes: Some(1), budget: Duration::from_secs(30) };
    let (sizes, _) = luthier_probe::find_batch(prepared(TEXTS, &[]), limits).unwrap();
    if sizes.points.first().is_some_and(|point| point.bytes.is_some()) {
        assert_eq!((sizes.largest, sizes.points.len()), (None, 1));
        assert!(sizes.ended.contains("memory"));
    }
}

#[test]
fn probing_twice_says_the_same() {
    let _alone = alone();
    // time enough that no probe is cut short: what is left out depends on the clock
    let budget = Duration::from_secs(600);
    let (first, again) = luthier_probe::probe(prepared(TEXTS, &[]), budget).unwrap();
    let (second, _) = luthier_probe::probe(again, budget).unwrap();
    assert_eq!(timeless(&first), timeless(&second));
}
