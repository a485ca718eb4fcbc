//! Networks of a recipe's own layers against `torch.nn.Sequential` (`fixtures/sequential.py` made the numbers): names,
//! outputs in training and evaluation, gradients; and how weights start.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use luthier_model::{Input, Model, ModelError, Shape, Spec, Stack};
use luthier_plan::Role;
use luthier_recipe::{Arch, BiasInit, Init, Layer, OutputAct, WeightInit};
use luthier_torch::{grad, manual_seed};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

#[derive(Deserialize)]
struct Expected {
    names: Vec<String>,
    train: Vec<f64>,
    eval: Vec<f64>,
    grads: Vec<Vec<f64>>,
}

fn layers(toml: &str) -> Vec<Layer> {
    let text = format!(
        "name = \"x\"\ntask = \"classification\"\n[data]\nformat = \"csv\"\ntrain = \"x.csv\"\ntarget = \"y\"\n\
         [model]\narch = \"sequential\"\nlayers = [{toml}]\n[optim]\ntype = \"SGD\"\nlr = 0.1\n\
         [train]\nepochs = 1\nbatch_size = 2\n"
    );
    luthier_recipe::parse("x.toml", &text, &[]).unwrap().recipe.model.layers.unwrap()
}

fn build(toml: &str, input: Shape, init: Init, output: OutputAct) -> Result<Model, ModelError> {
    let stack = Stack { input, layers: layers(toml), init, output };
    Model::build(&Spec { stack: Some(stack), ..Spec::new(Arch::Sequential, 2) }, 7, Device::Cpu)
}

/// The numbers that the fixture's nets have.
fn settle(model: &Model) {
    let mut n = 0;
    tch::no_grad(|| {
        for entry in model.parameters() {
            let count = entry.tensor.numel() as i64;
            let angles = (Tensor::arange(count, (Kind::Float, Device::Cpu)) + n) * 1.7 + 0.3;
            let one = if entry.role == Role::Norm && entry.name.ends_with("weight") { 1.0 } else { 0.0 };
            let numbers = (angles.sin() / 2.0 + one).reshape(entry.tensor.size());
            entry.tensor.shallow_clone().copy_(&numbers);
            n += count;
        }
    });
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    Vec::<f32>::try_from(tensor.flatten(0, -1)).unwrap().into_iter().map(f64::from).collect()
}

fn close(ours: &[f64], theirs: &[f64], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= 2e-5 * b.abs().max(1.0), "{what}: {a} is not {b}");
    }
}

#[test]
fn outputs_and_gradients_are_torchs() {
    let all: BTreeMap<String, Expected> =
        serde_json::from_str(include_str!("fixtures/sequential.json")).unwrap();
    let rows = (Tensor::arange(18, (Kind::Float, Device::Cpu)) * 0.9).cos().reshape([6, 3]) * 2.0;
    let pictures = (Tensor::arange(384, (Kind::Float, Device::Cpu)) * 0.37).sin().reshape([2, 192]);
    for (name, expected) in &all {
        let (toml, output, x) = match name.as_str() {
            "batch_norm" => (
                "{ linear = 4, bias = false }, { batch_norm = true }, { act = \"relu\" }, { linear = 2 }".to_owned(),
                OutputAct::None,
                &rows,
            ),
            "layer_norm" => {
                ("{ linear = 4 }, { layer_norm = true }, { linear = 2 }".to_owned(), OutputAct::None, &rows)
            }
            "pictures" => (
                "{ unflatten = [3, 8, 8] }, { conv = 4, padding = 1 }, { batch_norm = true }, { act = \"relu\" }, \
                 { max_pool = 2 }, { conv = 2, kernel = 2, stride = 2, bias = false }, { flatten = true }, { linear = 3 }"
                    .to_owned(),
                OutputAct::Sigmoid,
                &pictures,
            ),
            act => {
                (format!("{{ linear = 4 }}, {{ act = \"{act}\" }}, {{ linear = 2 }}"), OutputAct::None, &rows)
            }
        };
        let model = build(&toml, Shape::Row(x.size()[1]), Init::default(), output).unwrap();
        let names: Vec<String> = model.store.entries().iter().map(|entry| entry.name.clone()).collect();
        assert_eq!(names, expected.names, "{name}");
        settle(&model);
        let input = Input::Rows(x.shallow_clone());
        let train = model.forward(&input, true).unwrap();
        close(&floats(&train), &expected.train, name);
        let count = train.numel() as i64;
        let weights = Tensor::arange(count, (Kind::Float, Device::Cpu)).reshape(train.size()) / count as f64;
        (&train * weights).sum(Kind::Float).backward();
        for (entry, theirs) in model.parameters().zip(&expected.grads) {
            close(&floats(&grad(&entry.tensor).unwrap().unwrap()), theirs, &format!("{name} {}", entry.name));
        }
        let eval = tch::no_grad(|| model.forward(&input, false)).unwrap();
        close(&floats(&eval), &expected.eval, &format!("{name} eval"));
    }
}

#[test]
fn weights_start_as_asked() {
    // fan-in 400, fan-out 300
    let (fan_in, fan_out) = (400.0_f64, 300.0_f64);
    let rows = [
        (WeightInit::Default, 1.0 / (3.0 * fan_in), true),
        (WeightInit::HeNormal, 2.0 / fan_in, false),
        (WeightInit::HeUniform, 2.0 / fan_in, true),
        (WeightInit::XavierNormal, 2.0 / (fan_in + fan_out), false),
        (WeightInit::XavierUniform, 2.0 / (fan_in + fan_out), true),
        (WeightInit::LecunNormal, 1.0 / fan_in, false),
        (WeightInit::Normal, 0.05 * 0.05, false),
        (WeightInit::Uniform, 0.3 * 0.3 / 3.0, true),
    ];
    for (weights, variance, uniform) in rows {
        let init = Init { weights, std: Some(0.05), value: Some(0.3), bias: BiasInit::Number(0.25) };
        let model = build("{ linear = 300 }", Shape::Row(400), init, OutputAct::None).unwrap();
        let weight = &model.store.get("0.weight").unwrap().tensor;
        let found = weight.var(false).double_value(&[]);
        assert!((found / variance - 1.0).abs() < 0.03, "{weights:?}: {found} is not {variance}");
        assert!(weight.mean(Kind::Float).double_value(&[]).abs() < 0.02 * variance.sqrt(), "{weights:?}");
        let largest = weight.abs().max().double_value(&[]);
        let bound = (3.0 * variance).sqrt();
        assert_eq!(largest <= bound * 1.0001, uniform, "{weights:?}: {largest} and {bound}");
        let bias = &model.store.get("0.bias").unwrap().tensor;
        assert_eq!((bias.min().double_value(&[]), bias.max().double_value(&[])), (0.25, 0.25));
    }
    for (weights, value) in [(WeightInit::Constant, 0.5), (WeightInit::Zeros, 0.0)] {
        let init = Init { weights, value: Some(0.5), ..Init::default() };
        let model = build("{ linear = 3 }", Shape::Row(4), init, OutputAct::None).unwrap();
        let weight = &model.store.get("0.weight").unwrap().tensor;
        assert_eq!((weight.min().double_value(&[]), weight.max().double_value(&[])), (value, value));
        let bias = &model.store.get("0.bias").unwrap().tensor;
        assert!(bias.abs().max().double_value(&[]) <= 0.5 && bias.std(false).double_value(&[]) > 0.0);
    }
}

#[test]
fn orthogonal_rows_or_columns_are_orthonormal() {
    let init = Init { weights: WeightInit::Orthogonal, ..Init::default() };
    for outputs in [5, 12] {
        let model =
            build(&format!("{{ linear = {outputs} }}"), Shape::Row(8), init, OutputAct::None).unwrap();
        let weight = model.store.get("0.weight").unwrap().tensor.detach();
        assert_eq!(weight.size(), [outputs, 8]);
        let square = if outputs < 8 { weight.matmul(&weight.tr()) } else { weight.tr().matmul(&weight) };
        let off = (square - Tensor::eye(outputs.min(8), (Kind::Float, Device::Cpu))).abs().max();
        assert!(off.double_value(&[]) < 1e-5, "{outputs}");
    }
}

#[test]
fn the_head_is_the_last_layer_with_weights() {
    let toml = "{ linear = 4 }, { act = \"relu\" }, { linear = 3 }";
    let model = build(toml, Shape::Row(5), Init::default(), OutputAct::Softmax).unwrap();
    assert_eq!((model.outputs(), model.head.as_str(), model.parts().len()), (3, "2", 4));
    let _draws = manual_seed(1);
    let x = Tensor::rand([6, 5], (Kind::Float, Device::Cpu));
    let shares = model.forward(&Input::Rows(x), false).unwrap().sum_dim_intlist(1, false, Kind::Float);
    assert!((shares - 1.0).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn dropout_drops_in_training_alone() {
    let model = build("{ dropout = 0.5 }", Shape::Row(1000), Init::default(), OutputAct::None).unwrap();
    let input = Input::Rows(Tensor::ones([1, 1000], (Kind::Float, Device::Cpu)));
    let _draws = manual_seed(1);
    let kept = model.forward(&input, true).unwrap();
    let zeros = kept.eq(0.0).sum(Kind::Int64).int64_value(&[]);
    assert!((400..600).contains(&zeros) && kept.max().double_value(&[]) == 2.0, "{zeros}");
    assert_eq!(model.forward(&input, false).unwrap().min().double_value(&[]), 1.0);
}

#[test]
fn layers_that_do_not_fit_are_told_by_their_key() {
    let picture = Shape::Picture(3, 8, 8);
    let rows = [
        ("{ linear = 2 }", picture, "model.layers[0]", "takes rows", "flatten"),
        ("{ linear = 2 }, { conv = 4 }", Shape::Row(3), "model.layers[1]", "takes pictures", "unflatten"),
        ("{ unflatten = [1, 2, 2] }", Shape::Row(5), "model.layers[0]", "is 4", "product"),
        ("{ conv = 2, kernel = 9 }", picture, "model.layers[0]", "does not fit", "kernel"),
        ("{ max_pool = 9 }", picture, "model.layers[0]", "do not fit", "pool less"),
        ("{ conv = 2 }", picture, "model.layers[0]", "a row is needed", "flatten"),
    ];
    for (toml, input, key, what, help) in rows {
        match build(toml, input, Init::default(), OutputAct::None) {
            Err(ModelError::Pattern(error)) => {
                assert_eq!(error.key, key, "{toml}");
                assert!(
                    error.what.contains(what) && error.help.unwrap().contains(help),
                    "{toml}: {}",
                    error.what
                );
            }
            other => panic!("{toml}: {:?}", other.map(|_| ())),
        }
    }
    let model = build("{ linear = 2 }", Shape::Row(3), Init::default(), OutputAct::None).unwrap();
    let wrong = Input::Rows(Tensor::ones([2, 4], (Kind::Float, Device::Cpu)));
    assert!(model.forward(&wrong, false).unwrap_err().to_string().contains("[3]"));
}
