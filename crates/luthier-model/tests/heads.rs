//! Several heads on one network.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_model::{Flow, HeadSpec, Input, Model, ModelError, Spec};
use luthier_recipe::{Arch, Hidden};
use luthier_torch::{grad, manual_seed};
use tch::{Device, Kind, Tensor};

fn head(name: &str, classes: i64, hidden: &[&str]) -> HeadSpec {
    let hidden = hidden.iter().map(|name| Hidden::Name((*name).to_owned())).collect();
    HeadSpec { name: name.to_owned(), classes, hidden }
}

fn build(heads: Vec<HeadSpec>) -> Result<Model, ModelError> {
    let classes = heads.iter().map(|head| head.classes.unsigned_abs()).sum();
    Model::build(&Spec { heads, ..Spec::new(Arch::Resnet18, classes) }, 1, Device::Cpu)
}

fn three() -> Model {
    let wide = HeadSpec { hidden: vec![Hidden::Width(16)], ..head("hue", 8, &[]) };
    build(vec![head("classifier", 10, &["dense", "more"]), head("yaw", 4, &["dense"]), wide]).unwrap()
}

/// Logits of the heads that are asked for.
fn logits(model: &Model, pictures: &Tensor, heads: &[usize]) -> Tensor {
    let flow = model.begin(&Input::Pictures(pictures.shallow_clone())).unwrap();
    let flow = Flow { heads: Some(heads.into()), ..flow };
    model.run(0..model.parts().len(), flow, false).unwrap().hidden
}

#[test]
fn layers_are_called_as_the_recipe_calls_them_and_shared_where_heads_begin_alike() {
    let model = three();
    let shapes: Vec<(String, Vec<i64>)> = model
        .parameters()
        .filter(|entry| model.is_head(&entry.name) && entry.name.ends_with("weight"))
        .map(|entry| (entry.name.clone(), entry.tensor.size()))
        .collect();
    let wanted: Vec<(String, Vec<i64>)> = [
        ("dense.weight", [512, 512]),
        ("more.weight", [512, 512]),
        ("classifier.weight", [10, 512]),
        ("yaw.weight", [4, 512]),
        ("hue_hidden.0.weight", [16, 512]),
        ("hue.weight", [8, 16]),
    ]
    .map(|(name, shape)| (name.to_owned(), shape.to_vec()))
    .to_vec();
    assert_eq!(shapes, wanted);
    assert!(
        !model.is_head("layer1.0.conv1.weight") && !model.parameters().any(|entry| entry.name == "fc.weight")
    );
    assert!(model.parameters().all(|entry| model.part_of(&entry.name).is_some()), "every tensor has a part");
}

#[test]
fn a_head_gives_the_same_alone_and_among_others() {
    let model = three();
    let _draws = manual_seed(1);
    let pictures = Tensor::rand([2, 3, 32, 32], (Kind::Float, Device::Cpu));
    let all = model.forward(&Input::Pictures(pictures.shallow_clone()), false).unwrap();
    assert_eq!(all.size(), [2, 22]);
    assert_eq!(logits(&model, &pictures, &[1]), all.narrow(1, 10, 4));
    assert_eq!(
        logits(&model, &pictures, &[2, 0]),
        Tensor::cat(&[all.narrow(1, 14, 8), all.narrow(1, 0, 10)], 1)
    );
}

#[test]
fn a_head_that_is_not_asked_gets_no_gradient_at_all() {
    let model = three();
    let _draws = manual_seed(1);
    let pictures = Tensor::rand([2, 3, 32, 32], (Kind::Float, Device::Cpu));
    logits(&model, &pictures, &[1]).sum(Kind::Float).backward();
    let moved: Vec<&str> = model
        .parameters()
        .filter(|entry| model.is_head(&entry.name) && grad(&entry.tensor).unwrap().is_some())
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(moved, ["dense.weight", "dense.bias", "yaw.weight", "yaw.bias"]);
}

#[test]
fn a_hidden_layer_has_one_place() {
    let error = build(vec![head("a", 2, &["one", "two"]), head("b", 2, &["two"])]).unwrap_err();
    assert!(error.to_string().contains("the hidden layer `two` of the head `b`"), "{error}");
}
