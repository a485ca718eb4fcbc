//! Trials: a change that must help, one that must not, and what they leave behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::time::Duration;

use common::{CONTRAST, TEXTS, alone, folder, loaded};
use luthier_doctor::Outcome;
use luthier_probe::{Patch, Trial, TrialError, trial};
use serde_json::json;

fn tried(sets: &[&str], patch: &[(&str, serde_json::Value)], seeds: u64, seconds: u64) -> Trial {
    let _alone = alone();
    let patch: Patch = patch.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    trial(&loaded(TEXTS, sets), &patch, seeds, Duration::from_secs(seconds), "cpu").unwrap()
}

#[test]
fn a_rate_that_is_too_low_is_proved_by_one_that_is_not() {
    let sets = ["optim.lr=1e-7", "train.epochs=6"];
    let found = tried(&sets, &[("optim.lr", json!(0.003))], 3, 120);
    assert_eq!(found.proof.verdict, Outcome::Proved, "{found:?}");
    assert_eq!((found.proof.seeds, found.proof.metric.as_str()), (3, "valid.loss"));
    assert!(found.whole && found.note.is_empty());
    // 60 texts are 8 updates an epoch
    assert!(found.before.iter().chain(&found.after).all(|arm| arm.updates == 48));
    // and the other way round it is refuted
    let back = tried(&["optim.lr=0.003", "train.epochs=6"], &[("optim.lr", json!(1e-7))], 2, 120);
    assert_eq!(back.proof.verdict, Outcome::Refuted);
    assert_eq!(back.before[..2], found.after[..2], "the same recipe and seed is the same run");
}

#[test]
fn a_change_that_changes_nothing_is_refuted() {
    let found = tried(&[], &[("optim.weight_decay", json!(0.0))], 2, 60);
    assert_eq!(found.before, found.after);
    assert_eq!((found.proof.verdict, found.proof.noise), (Outcome::Refuted, Some(0.0)));
}

#[test]
fn a_run_that_diverges_is_the_worse_one() {
    let sets = ["optim.type=SGD", "optim.lr=1e12"];
    let found = tried(&sets, &[("optim.lr", json!(0.01))], 2, 60);
    assert!(found.before.iter().all(|arm| arm.loss.is_none()), "{found:?}");
    assert_eq!(found.proof.verdict, Outcome::Proved);
}

#[test]
fn a_contrast_is_judged_by_its_neighbours_or_by_whether_it_ends_at_all() {
    let patch = Patch::from([("optim.lr".to_owned(), json!(0.01))]);
    let at = |lr: &str| {
        let _alone = alone();
        trial(&loaded(CONTRAST, &[lr]), &patch, 2, Duration::from_secs(60), "cpu").unwrap()
    };
    let found = at("optim.lr=1e30");
    assert_eq!(
        (found.proof.metric.as_str(), found.proof.verdict),
        ("run.sound", Outcome::Proved),
        "{found:?}"
    );
    assert!(found.before.iter().all(|arm| arm.loss.is_none() && arm.score == 0.0 && arm.labelled));
    assert!(found.after.iter().all(|arm| arm.score > 0.0 && arm.loss.is_some() && arm.updates == 4));
    // the same recipe on both sides
    let same = at("optim.lr=0.01");
    assert_eq!(same.proof.metric, "valid.knn");
    assert_eq!((same.proof.verdict, &same.before), (Outcome::Refuted, &same.after));
}

#[test]
fn without_a_validation_split_some_of_the_training_samples_are_held_out() {
    let sets = ["train.epochs=1"];
    let mut recipe =
        loaded(&TEXTS.replace("split = { valid = 0.25 }", "").replace("path =", "train ="), &sets);
    recipe.base = folder().to_path_buf();
    let patch = Patch::from([("optim.lr".to_owned(), json!(0.001))]);
    let _alone = alone();
    let found = trial(&recipe, &patch, 2, Duration::from_secs(60), "cpu").unwrap();
    assert_eq!(found.proof.seeds, 2);
    // 64 of 80 are trained on, by eight
    assert!(found.before.iter().all(|arm| arm.loss.is_some() && arm.updates == 8), "{found:?}");
}

#[test]
fn a_long_recipe_is_cut_to_its_budget() {
    let found = tried(&["train.epochs=3000"], &[("optim.lr", json!(0.001))], 2, 6);
    // the update that is under way when the time is over may be a slow one
    assert!(found.seconds < 12.0, "{}", found.seconds);
    assert!(!found.whole);
    assert!(found.before.iter().all(|arm| arm.updates < 24_000));
}

#[test]
fn an_epoch_stays_whole_where_one_schedule_counts_epochs_and_the_other_updates() {
    let sets =
        ["train.epochs=3000", "schedule={ type = \"StepLR\", step_size = 3, gamma = 0.5, unit = \"step\" }"];
    let found = tried(&sets, &[("schedule.unit", json!("epoch"))], 2, 6);
    assert!(!found.whole && found.samples == 60, "{found:?}");
    assert!(
        found.before.iter().all(|arm| arm.updates < 24_000 && arm.updates.is_multiple_of(8)),
        "{found:?}"
    );
}

#[test]
fn null_takes_a_key_out_and_tags_can_change() {
    let patch = Patch::from([
        ("train.clip_grad_norm".to_owned(), json!(null)),
        ("optim.type".to_owned(), json!("SGD")),
        ("optim.momentum".to_owned(), json!(0.9)),
    ]);
    let changed = luthier_probe::patched(&loaded(TEXTS, &["train.clip_grad_norm=1.0"]), &patch).unwrap();
    assert_eq!(changed.recipe.train.clip_grad_norm, None);
    assert!(
        matches!(changed.recipe.optim.rule, luthier_recipe::Rule::SGD { momentum, .. } if momentum == 0.9)
    );
}

#[test]
fn a_change_that_makes_no_recipe_says_why() {
    let bad = Patch::from([("optim.lr".to_owned(), json!(-1.0))]);
    let error = luthier_probe::patched(&loaded(TEXTS, &[]), &bad).unwrap_err();
    assert!(matches!(error, TrialError::Recipe(_)), "{error}");
    let bad = Patch::from([("optim.lr".to_owned(), json!(null))]);
    let error = luthier_probe::patched(&loaded(TEXTS, &[]), &bad).unwrap_err();
    assert!(error.to_string().contains("without `optim.lr`"), "{error}");
}
