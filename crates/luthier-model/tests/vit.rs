//! The same numbers as transformers' and timm's ViT, on checkpoints that they saved. `fixtures/vit_parity.py` made what is
//! compared with.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{Digest, apart, assert_same, fixture, flat, loss_of};
use luthier_model::{
    Input, Model, ModelError, Shape, Spec, config_of, config_of_weights, huggingface_config, read_config,
};
use luthier_plan::LoadReport;
use luthier_recipe::Arch;
use luthier_torch::{autocast, grad};
use luthier_weights::Weights;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::{Device, Tensor};

const CLASSES: u64 = 3;
const BATCH: i64 = 4;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
    timm: Vec<f64>,
}

#[derive(Deserialize)]
struct Case {
    size: [i64; 2],
    logits: Vec<f64>,
    loss: f64,
    grads: BTreeMap<String, Digest>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn file() -> Weights {
    luthier_weights::read(&path("vit-tiny")).unwrap()
}

fn config(changes: Value) -> Value {
    let mut config = read_config(&path("vit-tiny/config.json")).unwrap();
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    config
}

fn build(config: Value) -> Result<Model, ModelError> {
    Model::build(&Spec { config: Some(config), ..Spec::new(Arch::Vit, CLASSES) }, 1, Device::Cpu)
}

fn loaded(config: Value, weights: &Weights) -> (Model, LoadReport) {
    let model = build(config).unwrap();
    let report = model.load(weights, &[]).unwrap();
    assert_eq!(report.matched, model.store.entries().len(), "{report:?}");
    assert!(report.head.is_empty() && report.unexpected.is_empty(), "{report:?}");
    (model, report)
}

fn pictures([height, width]: [i64; 2]) -> Input {
    let count = usize::try_from(BATCH * 3 * height * width).unwrap();
    let values: Vec<f32> = common::numbers("pictures", count).into_iter().map(|u| (2.0 * u) as f32).collect();
    Input::Pictures(Tensor::from_slice(&values).reshape([BATCH, 3, height, width]))
}

fn assert_near(what: &str, got: &Tensor, expected: &[f64]) {
    let got = flat(got);
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= 1e-4, "{what}: {got} is not {expected}");
    }
}

#[test]
fn it_classifies_as_transformers() {
    let fixture: Fixture = fixture("vit.json");
    assert_eq!(fixture.cases.len(), 2, "pictures of its size, and of another");
    for case in fixture.cases {
        for shortcuts in [true, false] {
            let what = format!("{:?}, shortcuts {shortcuts}", case.size);
            let (model, _) = loaded(config(json!({})), &file());
            model.set_shortcuts(shortcuts);
            let logits = model.forward(&pictures(case.size), true).unwrap();
            let loss = loss_of(&logits, CLASSES);
            loss.backward();
            assert_near(&what, &logits, &case.logits);
            assert_near(&what, &loss, &[case.loss]);
            assert_eq!(model.parameters().count(), case.grads.len(), "{what}");
            for parameter in model.parameters() {
                let grad = grad(&parameter.tensor).unwrap().expect(&parameter.name);
                assert_same(&parameter.name, &grad, case.grads[&parameter.name], 1e-4, 1e-6);
            }
        }
    }
}

#[test]
fn positions_are_interpolated_for_the_pictures_of_the_recipe() {
    let case = fixture::<Fixture>("vit.json").cases.remove(1);
    let (model, report) = loaded(config(json!({ "image_size": case.size })), &file());
    let note =
        "the positions of 4×4 patches were interpolated (bicubic) to 6×5, for pictures of 48×40 pixels";
    assert!(report.notes.iter().any(|found| found == note), "{:?}", report.notes);
    assert_near("48×40", &model.forward(&pictures(case.size), false).unwrap(), &case.logits);
    assert_eq!(model.config().unwrap()["image_size"], json!([48, 40]));
    // the recipe's pictures decide, whatever the config says
    let recipe = serde_json::from_value(json!({ "arch": "vit", "weights": "vit-tiny" })).unwrap();
    let spec = Spec::of(&recipe, CLASSES, Some(config(json!({}))), Some(Shape::Picture(3, 48, 40)));
    assert_eq!(spec.config.unwrap()["image_size"], json!([48, 40]));
    // and nothing is said where nothing was done
    assert!(loaded(config(json!({})), &file()).1.notes.is_empty());
}

#[test]
fn timms_weights_need_no_config() {
    let weights = luthier_weights::read(&path("vit-timm.safetensors")).unwrap();
    for beside in [None, Some(json!({ "architecture": "vit_tiny_patch16_224", "num_classes": 3 }))] {
        let config = config_of_weights(Arch::Vit, beside, &weights).unwrap();
        let (model, report) = loaded(config, &weights);
        let logits = model.forward(&pictures([32, 32]), false).unwrap();
        assert_near("timm", &logits, &fixture::<Fixture>("vit.json").timm);
        let note = "names of `timm` were read as those of `transformers`, and 4 `attn.qkv` split into query, key and value";
        assert_eq!(report.notes, [note]);
    }
    // a config of `transformers` is believed
    let theirs = Some(config(json!({})));
    assert_eq!(config_of_weights(Arch::Vit, theirs.clone(), &weights), theirs);
}

#[test]
fn names_of_transformers_models_and_of_bare_ones_are_read() {
    let rename = |change: &dyn Fn(&str) -> String| {
        let mut weights = file();
        weights.tensors = weights.tensors.into_iter().map(|(name, tensor)| (change(&name), tensor)).collect();
        weights
    };
    let expected = loaded(config(json!({})), &file()).0.state();
    let newer = |name: &str| {
        name.replace("vit.encoder.layer.", "vit.layers.")
            .replace("attention.attention.query", "attention.q_proj")
            .replace("attention.attention.key", "attention.k_proj")
            .replace("attention.attention.value", "attention.v_proj")
            .replace("attention.output.dense", "attention.o_proj")
            .replace("intermediate.dense", "mlp.fc1")
            .replace("output.dense", "mlp.fc2")
    };
    let bare = |name: &str| name.trim_start_matches("vit.").to_owned();
    for weights in [rename(&newer), rename(&bare), rename(&|name| bare(&newer(name)))] {
        let (model, report) = loaded(config(json!({})), &weights);
        assert_eq!(model.state(), expected);
        assert_eq!(report.notes, ["names of `transformers`' model were read as those of its files"]);
    }
}

#[test]
fn bf16_is_near() {
    let (model, _) = loaded(config(json!({})), &file());
    model.freeze(&["vit.*".to_owned()]).unwrap();
    let exact = model.forward(&pictures([32, 32]), false).unwrap();
    for keeps in [false, true] {
        model.keep_bf16_of_frozen(keeps);
        let near = autocast(Device::Cpu, true, || model.forward(&pictures([32, 32]), true)).unwrap();
        assert!(apart(&near, &exact) < 0.05 * apart(&exact, &(&exact * 0.0)), "{near:?} {exact:?}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (changes, message) in [
        (json!({ "num_attention_heads": 5 }), "the config's `num_attention_heads` cannot be 5: "),
        (json!({ "num_channels": 1 }), "the config's `num_channels` cannot be 1: only 3 is supported"),
        (json!({ "patch_size": [8, 4] }), "the config's `patch_size` cannot be [8,4]: patches are squares"),
        (json!({ "patch_size": 0 }), "the config's `patch_size` cannot be 0: "),
        (json!({ "image_size": 7 }), "the config's `image_size` cannot be [7,7]: not one patch of 8 pixels"),
        (json!({ "image_size": "big" }), "the config's `image_size` cannot be \"big\": "),
        (json!({ "model_type": "deit" }), "the config's `model_type` cannot be \"deit\": "),
    ] {
        let error = build(config(changes)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    for (changes, message) in [
        (json!({ "hidden_size": 64 }), "the config says `hidden_size` = 64, "),
        (json!({ "num_hidden_layers": 3 }), "the config says `num_hidden_layers` = 3, "),
        (json!({ "intermediate_size": 40 }), "the config says `intermediate_size` = 40, "),
        (json!({ "patch_size": 4, "image_size": 16 }), "the config says `patch_size` = 4, "),
    ] {
        let error = build(config(changes)).unwrap().load(&file(), &[]).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    let (model, _) = loaded(config(json!({})), &file());
    let error = model.forward(&pictures([32, 6]), false).unwrap_err();
    assert_eq!(error.to_string(), "a batch of the shape [4, 3, 32, 6] has no patch of 8 pixels");
}

#[test]
fn its_config_is_one_of_transformers_and_of_ours() {
    let (model, _) = loaded(config(json!({})), &file());
    let classes = ["a", "b", "c"].map(str::to_owned);
    let made = huggingface_config(&model, &classes, None).unwrap();
    assert_eq!(made["architectures"], json!(["ViTForImageClassification"]));
    for key in ["hidden_size", "image_size", "patch_size", "qkv_bias", "layer_norm_eps", "num_hidden_layers"]
    {
        assert_eq!(made[key], config(json!({}))[key], "{key}");
    }
    assert_eq!(build(made).unwrap().config(), model.config());
}

#[test]
fn a_recipe_says_how_wide_random_weights_are() {
    let deviation = |asked: &str| {
        let text = format!(
            "name = \"t\"\ntask = \"image-classification\"\n[data]\ntrain = \"t\"\n[data.transform]\ntrain = []\neval \
             = []\n[model]\narch = \"vit\"\nweights = \
             \"none\"\nvit = {{ size = \"tiny\", hidden_size = 64, num_hidden_layers = 1, num_attention_heads = 2{asked} }}\n\
             [optim]\ntype = \"AdamW\"\nlr = 0.001\n[train]\nepochs = 1\nbatch_size = 1\n"
        );
        let recipe = luthier_recipe::parse("t.toml", &text, &[]).unwrap().recipe;
        let made = config_of(&recipe.model, Path::new("."), None).unwrap().unwrap();
        let model = build(made).unwrap();
        let name = "vit.encoder.layer.0.intermediate.dense.weight";
        model.store.get(name).unwrap().tensor.std(true).double_value(&[])
    };
    for (asked, expected) in [("", 0.02), (", initializer_range = 0.06", 0.06)] {
        let found = deviation(asked);
        assert!((found - expected).abs() < 0.03 * expected, "{asked}: {found}");
    }
}
