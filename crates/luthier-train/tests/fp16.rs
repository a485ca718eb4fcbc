//! Training in fp16 with a loss scale: PyTorch's `GradScaler` (`fixtures/grad_scaler.py` made the numbers), resuming, and
//! runs that no scale can save.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fmt::Write;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use common::{Ear, alone, timeless};
use luthier_model::Input;
use luthier_plan::{Event, Listener, Outcome, StepEnd};
use luthier_recipe::GradScaler;
use luthier_train::{Batch, Job, Runner, Scaler, Session, Start, TrainError, Update, checkpoint, prepare};
use serde_json::Value;
use tch::{Kind, Tensor};
use tempfile::TempDir;

const RECIPE: &str = r#"
    name = "fp16"
    task = "classification"
    [data]
    format = "csv"
    train = "table.csv"
    target = "y"
    [model]
    arch = "sequential"
    layers = [{ linear = 32 }, { act = "relu" }, { linear = "classes" }]
    [optim]
    type = "SGD"
    lr = 0.05
    momentum = 0.9
    weight_decay = 1e-3
    [train]
    epochs = 4
    batch_size = 8
    clip_grad_norm = 0.5
    precision = "fp16"
    grad_scaler = { init_scale = 16777216.0, growth_factor = 4.0, backoff_factor = 0.25, growth_interval = 6 }
"#;

fn wanted() -> Value {
    serde_json::from_str(include_str!("fixtures/grad_scaler.json")).unwrap()
}

/// SplitMix64 of (which, place): fp32 in [−0.5, 0.5).
fn numbers(which: u64, shape: &[i64]) -> Tensor {
    let one = |place: i64| {
        let mut x =
            (place as u64).wrapping_add(which << 32).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
        (x >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let all: Vec<f32> = (0..shape.iter().product()).map(one).collect();
    Tensor::from_slice(&all).view(shape)
}

/// 40 rows of six numbers in four classes; five updates an epoch.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut table = "a,b,c,d,e,f,y\n".to_owned();
    for row in 0..40 {
        let cells = Vec::<f64>::try_from(&numbers(1000 + row, &[6]).to_kind(Kind::Double)).unwrap();
        for cell in cells {
            write!(table, "{},", 4.0 * cell).unwrap();
        }
        writeln!(table, "{}", ["p", "q", "r", "s"][row as usize % 4]).unwrap();
    }
    std::fs::write(folder.path().join("table.csv"), table).unwrap();
    folder
}

fn job(folder: &TempDir, sets: &[&str]) -> Job {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    let recipe = luthier_recipe::parse("fp16.toml", RECIPE, &sets).unwrap_or_else(|e| panic!("{e:?}")).recipe;
    let prepared = prepare(&recipe, folder.path(), "cpu").unwrap();
    Job::new(Runner::new(prepared.plan, prepared.model).unwrap()).unwrap()
}

struct Told {
    heard: Vec<Event>,
    end: Result<luthier_plan::RunEnd, TrainError>,
}

impl Told {
    fn steps(&self) -> Vec<&StepEnd> {
        fn step(event: &Event) -> Option<&StepEnd> {
            if let Event::StepEnd(step) = event { Some(step) } else { None }
        }
        self.heard.iter().filter_map(step).collect()
    }
}

/// Runs in a folder, from its last checkpoint where there is one.
fn train(folder: &TempDir, sets: &[&str], stop_after: Option<u64>) -> Told {
    let _alone = alone();
    let ear = Ear { stop_after, ..Ear::default() };
    let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(ear.clone())];
    let stop = AtomicBool::new(false);
    let kept = folder.path().join("checkpoints");
    let last = checkpoint::newest(&kept).ok();
    let session = Session::new(job(folder, sets), &kept, &mut listeners, &stop).unwrap();
    let session = match &last {
        Some((last, _)) => session.resume(last).unwrap(),
        None => session,
    };
    let end = session.run();
    let heard = ear.heard.lock().unwrap().clone();
    Told { heard, end }
}

#[test]
fn the_scale_moves_as_grad_scalers() {
    for sequence in wanted()["sequences"].as_array().unwrap() {
        let asked: GradScaler = serde_json::from_value(sequence["settings"].clone()).unwrap();
        let overflows: Vec<u64> = serde_json::from_value(sequence["overflows"].clone()).unwrap();
        let mut scaler = Scaler::of(asked);
        for (update, told) in (0..).zip(sequence["told"].as_array().unwrap()) {
            scaler.update(!overflows.contains(&update));
            let (scale, growth) = (told[0].as_f64().unwrap(), told[1].as_u64().unwrap());
            assert_eq!(
                (scaler.scale(), scaler.state().growth),
                (scale, growth),
                "{asked:?}, update {update}"
            );
        }
    }
}

#[test]
fn forty_updates_are_scaled_skipped_clipped_and_made_as_pytorch_makes_them() {
    let _alone = alone();
    let (wanted, folder) = (&wanted()["run"], folder());
    let mut job = job(&folder, &[]);
    tch::no_grad(|| {
        let entries = job.runner().model.store.entries();
        for (index, entry) in (0..).zip(entries) {
            entry.tensor.shallow_clone().copy_(&numbers(index, &entry.tensor.size()));
        }
    });
    for (update, wanted) in (0..).zip(wanted["steps"].as_array().unwrap()) {
        let rows: Tensor = numbers(1000 + update, &[8, 6]) * 4;
        let batch = Batch {
            start: Start::Input(Input::Rows(rows)),
            labels: (0..8).map(|row| (update as i64 + row) % 4).collect(),
            more: Vec::new(),
            values: None,
            indices: (0..8).collect(),
            second: None,
        };
        let whole = Update { batches: vec![batch], taken: 1, skipped: Vec::new(), wait: Duration::ZERO };
        let mut step = job.gradients(&whole, update).unwrap();
        job.apply(&mut step, 1.0).unwrap();
        let end = step.end;
        assert_eq!(end.loss_scale, wanted["scale"].as_f64(), "update {update}");
        assert_eq!(end.skipped, wanted["skipped"].as_bool().unwrap(), "update {update}");
        let close = |found: f64, wanted: &Value| (found / wanted.as_f64().unwrap() - 1.0).abs() < 1e-4;
        assert!(close(end.loss, &wanted["loss"]), "update {update}: {} for {}", end.loss, wanted["loss"]);
        assert!(
            end.skipped || close(end.grad_norm, &wanted["norm"]),
            "{} for {}",
            end.grad_norm,
            wanted["norm"]
        );
        assert_eq!(end.clipped, !end.skipped);
    }
    for entry in job.runner().model.store.entries() {
        let wanted: Vec<f64> = serde_json::from_value(wanted["weights"][&entry.name].clone()).unwrap();
        let found = Vec::<f64>::try_from(&entry.tensor.detach().to_kind(Kind::Double).view([-1])).unwrap();
        let off = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-4, "{}: {off}", entry.name);
    }
}

#[test]
fn a_run_stopped_after_any_update_has_the_same_scale_and_the_same_steps() {
    // Adam's steps are numbered, and only those count that were made
    let sets = &["optim={ type = \"Adam\", lr = 0.01 }", "train.ema={ decay = 0.9 }"];
    let whole = folder();
    let all = train(&whole, sets, None);
    let steps = all.steps();
    assert_eq!(steps.len(), 20);
    let skipped: Vec<u64> = steps.iter().filter(|step| step.skipped).map(|step| step.at.update).collect();
    assert!(skipped.first() == Some(&1) && skipped.iter().any(|at| *at > 8), "{skipped:?}");
    let files = |folder: &TempDir| {
        let last = checkpoint::newest(&folder.path().join("checkpoints")).unwrap().0.path;
        ["model", "optimizer", "ema"]
            .map(|file| std::fs::read(last.join(format!("{file}.safetensors"))).unwrap())
    };
    let told = |told: &Told| told.heard.iter().filter_map(timeless).collect::<Vec<_>>();
    for stop in [1, 2, 3, 7, 12, 19] {
        let part = folder();
        let mut heard = told(&train(&part, sets, Some(stop)));
        heard.extend(told(&train(&part, sets, None)));
        // NaN norms of skipped updates are not equal to themselves
        assert_eq!(format!("{heard:?}"), format!("{:?}", told(&all)), "stopped after {stop}");
        assert!(files(&part) == files(&whole), "stopped after {stop}");
    }
}

#[test]
fn what_is_skipped_moves_nothing() {
    let folder = folder();
    let _alone = alone();
    let mut job = job(&folder, &["train.ema={ decay = 0.5 }"]);
    let state = |job: &Job| {
        let all = job.runner().model.state();
        all.into_iter().map(|(name, tensor)| (name, tensor.detach().copy())).collect::<Vec<_>>()
    };
    let before = state(&job);
    let mut batches = job.runner().feed.train(0, 0).unwrap();
    let update = batches.next_update(1).unwrap().unwrap();
    let mut moved = None;
    for number in 0..10 {
        let mut step = job.gradients(&update, number).unwrap();
        job.apply(&mut step, 1.0).unwrap();
        let same = state(&job).iter().zip(&before).all(|((_, now), (_, before))| now.equal(before));
        assert_eq!(same, step.end.skipped, "update {number}");
        if !step.end.skipped {
            moved = Some(number);
            break;
        }
    }
    assert!(moved.is_some_and(|number| number > 0), "{moved:?}");
}

#[test]
fn a_gradient_that_overflows_at_every_scale_ends_the_run_and_is_named() {
    let folder = folder();
    let table =
        "a,y\n".to_owned() + &(0..40).map(|row| format!("{row},{}e12\n", row % 7)).collect::<String>();
    std::fs::write(folder.path().join("table.csv"), table).unwrap();
    let sets = [
        "task=regression",
        "loss.type=mse",
        "model.layers=[{ linear = 4 }, { act = \"relu\" }, { linear = \"targets\" }]",
        "train.epochs=20",
        "train.grad_scaler={}",
    ];
    let told = train(&folder, &sets, None);
    let Err(TrainError::Diverged { update, what, help, .. }) = &told.end else { panic!("it went on") };
    // from 2^16 down to 2^-14
    assert_eq!(*update, 31);
    assert!(what.contains("the gradient of `2.") && what.contains("in `"), "{what}");
    assert!(what.contains("at a loss scale of 6.1e-5, after 31 updates in a row"), "{what}");
    assert!(help.contains("precision"), "{help}");
    assert_eq!(told.steps().len(), 30);
    assert!(told.steps().iter().all(|step| step.skipped && !step.grad_norm.is_finite()));
    assert!(matches!(told.heard.last(), Some(Event::RunEnd(end)) if end.outcome == Outcome::Diverged));
    // bf16 has the range
    let whole = train(&self::folder(), &["train.precision=bf16", "train.grad_scaler={}"], None);
    assert!(whole.end.is_ok() && whole.steps().iter().all(|step| step.loss_scale.is_none() && !step.skipped));
}
