//! Five updates of MoCo v2 against PyTorch: `fixtures/moco_step.py` made the numbers.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::time::Duration;

use common::{alone, data};
use luthier_model::Input;
use luthier_plan::Role;
use luthier_train::{Batch, Job, Runner, Start, Update, prepare};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

const RECIPE: &str = r#"
    name = "parity"
    task = "contrastive"
    [data]
    train = "scenes"
    [data.transform]
    train = [{ op = "Resize", size = [32, 32] }]
    eval = [{ op = "Resize", size = [32, 32] }]
    [model]
    arch = "resnet18"
    weights = "none"
    [contrastive]
    dim = 16
    queue = 24
    momentum = 0.9
    temperature = 0.2
    [optim]
    type = "SGD"
    lr = 0.0005
    momentum = 0.9
    weight_decay = 1e-4
    [train]
    epochs = 3
    batch_size = 8
    drop_last = true
    precision = "fp32"
"#;

/// What fp32 makes of five updates: PyTorch's own in fp32 are 2e-5 from its own in double precision.
const ROUNDED: f64 = 5e-5;

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

fn batch(update: u64) -> Update {
    let view = |view: u64| {
        let pictures: Tensor = numbers(1000 + 2 * update + view, &[8, 3, 32, 32]) * 2;
        luthier_torch::channels_last(&pictures).unwrap()
    };
    let batch = Batch {
        start: Start::Input(Input::Pictures(view(0))),
        labels: vec![0; 8],
        more: Vec::new(),
        values: None,
        indices: (0..8).collect(),
        second: Some(view(1)),
    };
    Update { batches: vec![batch], taken: 1, skipped: Vec::new(), wait: Duration::ZERO }
}

fn agree(name: &str, found: &Tensor, wanted: &Value) {
    let flat = Vec::<f64>::try_from(&found.to_kind(Kind::Double).contiguous().view([-1])).unwrap();
    let close = |a: f64, b: f64| (a - b).abs() <= ROUNDED * b.abs().max(1.0);
    let norm = flat.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!(close(norm, wanted["norm"].as_f64().unwrap()), "{name}: norm {norm}, {} wanted", wanted["norm"]);
    let few = |key: &str| -> Vec<f64> { serde_json::from_value(wanted[key].clone()).unwrap() };
    let (first, last) = (few("first"), few("last"));
    for (a, b) in flat.iter().zip(&first).chain(flat.iter().rev().zip(last.iter().rev())) {
        assert!(close(*a, *b), "{name}: {a}, {b} wanted");
    }
}

#[test]
fn five_updates_move_both_encoders_and_the_queue_as_pytorch_does() {
    five_updates("batch", &["contrastive.key_norm=batch"]);
}

#[test]
fn so_they_do_with_running_statistics_that_follow() {
    five_updates("ema", &[]);
}

#[test]
fn so_they_do_with_the_keys_of_the_batch() {
    five_updates("in_batch", &["contrastive.in_batch=true"]);
}

fn five_updates(case: &str, sets: &[&str]) {
    let _alone = alone();
    let wanted: Value = serde_json::from_str(include_str!("fixtures/moco_step.json")).unwrap();
    let wanted = &wanted[case];
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let recipe = luthier_recipe::parse("parity.toml", RECIPE, &sets).unwrap().recipe;
    let prepared = prepare(&recipe, data(), "cpu").unwrap();
    let _quiet = tch::no_grad_guard();
    let parameters = || prepared.model.store.entries().iter().filter(|entry| entry.role != Role::Buffer);
    for (index, entry) in (0..).zip(parameters()) {
        let shape = entry.tensor.size();
        let drawn = numbers(index, &shape);
        let drawn: Tensor = if shape.len() > 1 {
            let width: i64 = shape.iter().skip(1).product();
            drawn * f64::from((24.0 / width as f32).sqrt())
        } else if entry.name.ends_with("weight") {
            drawn * 0.125 + 1.0
        } else {
            drawn * 0.125
        };
        entry.tensor.shallow_clone().copy_(&drawn);
    }
    drop(_quiet);
    let mut job = Job::new(Runner::new(prepared.plan, prepared.model).unwrap()).unwrap();
    let state = |job: &Job, name: &str| {
        let all = job.contrast_tensors().unwrap();
        all.into_iter().find(|(own, _)| own == name).unwrap().1
    };
    let queue = numbers(5000, &[24, 16]);
    let queue = &queue / queue.norm_scalaropt_dim(2.0, [1], true);
    tch::no_grad(|| state(&job, "queue").copy_(&queue));
    for update in 0..5 {
        let batch = batch(update);
        let mut step = job.gradients(&batch, update).unwrap();
        job.apply(&mut step, 1.0).unwrap();
        let loss = wanted["losses"][update as usize].as_f64().unwrap();
        assert!((step.end.loss - loss).abs() < 1e-5 * loss, "update {update}: {} for {loss}", step.end.loss);
    }
    for (name, tensor) in job.runner().model.state() {
        agree(&name, &tensor, &wanted["query"][&name]);
        agree(&name, &state(&job, &format!("encoder_k.{name}")), &wanted["key"][&name]);
    }
    let found = state(&job, "queue");
    let all: Vec<f32> = serde_json::from_value(wanted["queue"].clone()).unwrap();
    let distance = (found - Tensor::from_slice(&all).view([24, 16])).abs().max().double_value(&[]);
    assert!(distance < ROUNDED, "queue: {distance}");
    assert_eq!(state(&job, "queue_ptr").int64_value(&[0]), wanted["queue_ptr"].as_i64().unwrap());
    assert_eq!(state(&job, "queue").device(), Device::Cpu);
}
