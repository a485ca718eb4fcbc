//! The curves against `torch.optim.lr_scheduler` (fixtures/schedules.py made the numbers).

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_plan::{Length, Plateau, schedule};
use luthier_recipe::Schedule;
use proptest::prelude::*;
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/schedules.json")).unwrap()
}

fn length(per_epoch: u64, epochs: u64) -> Length {
    Length {
        epochs,
        samples: per_epoch,
        batches_per_epoch: per_epoch,
        updates_per_epoch: per_epoch,
        updates: per_epoch * epochs,
        effective_batch: 1,
    }
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn every_curve_equals_torch() {
    let fixture = fixture();
    let lr = fixture["lr"].as_f64().unwrap();
    for row in fixture["curves"].as_array().unwrap() {
        let table = row["table"].as_str().unwrap();
        let schedule: Schedule = toml::from_str(table).unwrap();
        let length = length(row["per_epoch"].as_u64().unwrap(), row["epochs"].as_u64().unwrap());
        let ours = schedule::factors(&schedule, lr, &length);
        let theirs = floats(&row["factors"]);
        assert_eq!(ours.len(), theirs.len(), "{table}");
        for (update, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            assert!((a - b).abs() < 1e-9, "{table}\nupdate {update}: {a} here, {b} there");
        }
    }
}

#[test]
fn plateau_equals_torch() {
    let fixture = fixture();
    let lr = fixture["lr"].as_f64().unwrap();
    let table = "type = \"ReduceLROnPlateau\"\nfactor = 0.5\npatience = 2\nthreshold = 1e-3\nmin_lr = 0.02\nunit = \"epoch\"";
    let schedule: Schedule = toml::from_str(table).unwrap();
    for row in fixture["plateaus"].as_array().unwrap() {
        let mut plateau = Plateau::default();
        for (value, expected) in floats(&row["values"]).iter().zip(floats(&row["factors"])) {
            plateau.observe(&schedule, lr, *value, row["mode"] == "max");
            assert!(
                (plateau.factor - expected).abs() < 1e-9,
                "{} {value}: {} {expected}",
                row["mode"],
                plateau.factor
            );
        }
    }
}

#[test]
fn warmup_rises_in_a_line_and_a_curve_in_steps_begins_after_it() {
    let table = "type = \"CosineAnnealingLR\"\nunit = \"step\"\nwarmup = { steps = 4, start = 0.2 }";
    let schedule: Schedule = toml::from_str(table).unwrap();
    let factors = schedule::factors(&schedule, 0.1, &length(24, 1));
    for (update, expected) in [0.2, 0.4, 0.6, 0.8, 1.0].iter().enumerate() {
        assert!((factors[update] - expected).abs() < 1e-12, "update {update}: {}", factors[update]);
    }
    // 20 updates of curve: half way down after ten of them
    assert!((factors[14] - 0.5).abs() < 1e-12, "{}", factors[14]);
}

proptest! {
    #[test]
    fn factors_are_one_per_update_finite_and_never_negative(
        kind in 0usize..6, per_epoch in 1u64..20, epochs in 1u64..10, warm in 0u64..30, by_epoch: bool,
    ) {
        let unit = if by_epoch && kind != 5 { "epoch" } else { "step" };
        let curve = ["type = \"constant\"", "type = \"StepLR\"\nstep_size = 2", "type = \"ExponentialLR\"\ngamma = 0.5",
            "type = \"CosineAnnealingLR\"", "type = \"LinearLR\"", "type = \"OneCycleLR\""][kind];
        let table = format!("{curve}\nunit = \"{unit}\"\nwarmup = {{ steps = {warm} }}");
        let schedule: Schedule = toml::from_str(&table).unwrap();
        let factors = schedule::factors(&schedule, 0.1, &length(per_epoch, epochs));
        prop_assert_eq!(factors.len() as u64, per_epoch * epochs);
        for factor in factors {
            prop_assert!(factor.is_finite() && factor >= -1e-12, "{} gave {}", table, factor);
        }
    }
}
