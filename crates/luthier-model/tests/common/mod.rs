//! The formula of `fixtures/parity.py`, once more.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use luthier_model::{Input, Model, ModelError, Spec, Tokens};
use luthier_recipe::{Arch, Pool};
use serde::de::DeserializeOwned;
use tch::{Device, Kind, Tensor};

pub const CLASSES: u64 = 10;
pub const BATCH: i64 = 4;
pub const SIZE: i64 = 64;

/// Numbers in [-1, 1) that look random: a 32-bit hash of the name and the index.
pub fn numbers(name: &str, count: usize) -> Vec<f64> {
    let seed =
        name.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (0..u32::try_from(count).unwrap())
        .map(|index| {
            let mut x = index.wrapping_mul(0x9E37_79B9).wrapping_add(seed);
            x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
            x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
            x ^= x >> 16;
            f64::from(x) / f64::powi(2.0, 31) - 1.0
        })
        .collect()
}

/// Weights that keep activations of order one.
pub fn value(name: &str, shape: &[i64]) -> Tensor {
    if name.ends_with("num_batches_tracked") {
        return Tensor::from(3_i64);
    }
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
    let scaled: Box<dyn Fn(f64) -> f64> = if name.ends_with("running_var") {
        Box::new(|u| 1.0 + 0.5 * u)
    } else if shape.len() >= 2 {
        let fan_in = shape[1..].iter().product::<i64>() as f64;
        Box::new(move |u| u * (6.0 / fan_in).sqrt())
    } else if name.ends_with("weight") {
        Box::new(|u| 0.6 + 0.2 * u)
    } else {
        Box::new(|u| 0.1 * u)
    };
    let values: Vec<f32> = numbers(name, count).into_iter().map(|u| scaled(u) as f32).collect();
    Tensor::from_slice(&values).reshape(shape)
}

pub fn pictures(size: i64, batch: i64) -> Tensor {
    let count = usize::try_from(batch * 3 * size * size).unwrap();
    let values: Vec<f32> = numbers("pictures", count).into_iter().map(|u| (2.0 * u) as f32).collect();
    Tensor::from_slice(&values).reshape([batch, 3, size, size])
}

/// Logits of pictures.
pub fn logits(model: &Model, pictures: &Tensor, train: bool) -> Result<Tensor, ModelError> {
    model.forward(&Input::Pictures(pictures.shallow_clone()), train)
}

/// Decides weights that the formula replaces.
pub const SEED: u64 = 1;

/// Architectures whose inputs are pictures.
pub const PICTURES: [Arch; 4] = [Arch::Resnet18, Arch::Resnet34, Arch::Resnet50, Arch::EfficientnetLite0];

/// What an architecture is built of for tests: transformers small, and without dropout.
pub fn spec(arch: Arch, classes: u64) -> Spec {
    let config = match arch {
        Arch::Gpt2 => serde_json::json!({
            "vocab_size": VOCABULARY, "n_positions": 120, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_inner": 48
        }),
        Arch::Bert => serde_json::json!({
            "vocab_size": VOCABULARY, "max_position_embeddings": 120, "hidden_size": 32, "num_hidden_layers": 3,
            "num_attention_heads": 4, "intermediate_size": 48
        }),
        Arch::Vit => serde_json::json!({
            "image_size": SIZE, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 3,
            "num_attention_heads": 4, "intermediate_size": 48
        }),
        _ => return Spec::new(arch, classes),
    };
    Spec { config: Some(config), dropout: Some(0.0), ..Spec::new(arch, classes) }
}

/// Token ids of small text models.
pub const VOCABULARY: u32 = 50;

/// Texts of these lengths, of the formula's tokens.
pub fn texts(lengths: &[usize]) -> Vec<Vec<u32>> {
    let text = |(index, &length): (usize, &usize)| -> Vec<u32> {
        let numbers = numbers(&format!("text {index}"), length).into_iter();
        numbers.map(|u| ((u + 1.0) / 2.0 * f64::from(VOCABULARY)) as u32).collect()
    };
    lengths.iter().enumerate().map(text).collect()
}

/// Texts as a model takes them.
pub fn packed(texts: &[Vec<u32>]) -> Input {
    Input::Tokens(Tokens::pack(texts).unwrap())
}

/// A batch that an architecture takes.
pub fn input(arch: Arch) -> Input {
    if arch.reads_text() { packed(&texts(&[5, 9, 1, 7])) } else { Input::Pictures(pictures(SIZE, 2)) }
}

/// A model without noise, with the formula's weights.
pub fn model(arch: Arch) -> Model {
    let model = if arch.has_config() {
        Model::build(&spec(arch, CLASSES), SEED, Device::Cpu).unwrap()
    } else {
        Model::without_noise(arch, CLASSES, SEED, Device::Cpu).unwrap()
    };
    fill(&model);
    model
}

/// A small text model without noise, with the formula's weights, that reads a text so.
pub fn pooling(arch: Arch, pool: Pool) -> Model {
    let spec = Spec { pool: Some(pool), ..spec(arch, CLASSES) };
    let model = Model::build(&spec, SEED, Device::Cpu).unwrap();
    fill(&model);
    model
}

/// Largest difference.
pub fn apart(a: &Tensor, b: &Tensor) -> f64 {
    f64::try_from((a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max()).unwrap()
}

/// Gives a model the formula's weights.
pub fn fill(model: &Model) {
    let _guard = tch::no_grad_guard();
    for entry in model.store.entries() {
        entry.tensor.shallow_clone().copy_(&value(&entry.name, &entry.tensor.size()));
    }
}

/// Mean cross-entropy of the formula's labels.
pub fn loss(logits: &Tensor) -> Tensor {
    loss_of(logits, CLASSES)
}

/// Mean cross-entropy of the labels 0, 1, 2 … up to `classes`, and again.
pub fn loss_of(logits: &Tensor, classes: u64) -> Tensor {
    let labels = Tensor::arange(logits.size()[0], (Kind::Int64, Device::Cpu)).remainder(classes as i64);
    logits.cross_entropy_for_logits(&labels)
}

/// A tensor as numbers, row by row.
pub fn flat(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.detach().to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}

/// Norm, product with the probe vector, first entry, middle entry.
pub type Digest = [f64; 4];

/// A file of `fixtures/`.
pub fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Two tensors are one if norm, probe and entries are, relative to the norm. `floor` is what rounding leaves of a
/// gradient that is zero in theory: a bias before a normalisation has one.
pub fn assert_same(name: &str, tensor: &Tensor, expected: Digest, relative: f64, floor: f64) {
    let x = flat(tensor);
    let probe = numbers(&format!("probe {name}"), x.len());
    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
    let dot: f64 = x.iter().zip(&probe).map(|(a, b)| a * b).sum();
    let tolerance = relative * expected[0] + floor;
    for (got, expected) in [norm, dot, x[0], x[x.len() / 2]].into_iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance, "{name}: {got} is not {expected} ± {tolerance}");
    }
}

/// A package's folder in the cache that `scripts/weights.py` fills, if it is there.
pub fn published(package: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(cache.join("luthier/weights").join(package)).filter(|folder| folder.is_dir())
}
