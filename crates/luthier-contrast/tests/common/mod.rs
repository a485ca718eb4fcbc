//! What the tests share.

#![allow(dead_code, reason = "no test uses all of it")]

use serde_json::Value;
use tch::{Kind, Tensor};

/// The numbers of fixtures/reference.py.
pub fn reference() -> Value {
    serde_json::from_str(include_str!("../fixtures/reference.json")).unwrap()
}

pub fn tensor(value: &Value) -> Tensor {
    let shape: Vec<i64> = integers(&value["shape"]);
    Tensor::from_slice(&numbers(&value["values"])).to_kind(Kind::Float).view(shape.as_slice())
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect()
}

pub fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|one| one.as_i64().unwrap()).collect()
}

#[track_caller]
pub fn close(ours: f64, theirs: &Value, what: &str) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() < 1e-5, "{what}: {ours} here, {theirs} there");
}

#[track_caller]
pub fn same(ours: &Tensor, theirs: &Tensor, within: f64, what: &str) {
    assert_eq!(ours.size(), theirs.size(), "{what}");
    let apart = (ours - theirs).abs().max().double_value(&[]);
    assert!(apart < within, "{what}: {apart} apart\n{ours:?} here\n{theirs:?} there");
}

pub fn value(scalar: &Tensor) -> f64 {
    scalar.double_value(&[])
}

/// Random directions that everyone draws alike.
pub fn directions(rows: i64, width: i64) -> Tensor {
    let places = Tensor::arange(rows * width, (Kind::Double, tch::Device::Cpu));
    let noise = (places * 12.9898).sin() * 43758.5453;
    let noise = (&noise - noise.floor() - 0.5).to_kind(Kind::Float).view([rows, width]);
    luthier_contrast::normalize(&noise).unwrap()
}
