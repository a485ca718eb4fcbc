//! The formula of `fixtures/parity.py`, once more.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use luthier_model::{Input, Model, ModelError};
use luthier_recipe::Arch;
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

/// A model without noise, with the formula's weights.
pub fn model(arch: Arch) -> Model {
    let model = Model::without_noise(arch, CLASSES, SEED, Device::Cpu).unwrap();
    fill(&model);
    model
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
    let labels = Tensor::arange(logits.size()[0], (Kind::Int64, Device::Cpu)).remainder(CLASSES as i64);
    logits.cross_entropy_for_logits(&labels)
}

/// A tensor as numbers, row by row.
pub fn flat(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.detach().to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}
