//! LoRA as PEFT computes it, on adapters that PEFT saved; which layers it stands at; what is trained and what rests.
//! `fixtures/lora_parity.py` made what is compared with.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{Digest, apart, assert_same, fixture, flat, loss_of};
use luthier_model::{Input, Model, Spec, Stack, Tokens, read_adapter, read_config};
use luthier_plan::{LoraPlan, PlanError};
use luthier_recipe::{Arch, Lora};
use luthier_torch::{grad, manual_seed};
use luthier_weights::{Dtype, RawTensor, Weights};
use serde::Deserialize;
use serde_json::{Value, json};
use tch::{Device, Tensor};

const CLASSES: u64 = 3;

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    logits: Vec<f64>,
    loss: f64,
    grads: BTreeMap<String, Digest>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn arch(name: &str) -> Arch {
    serde_json::from_value(json!(name)).unwrap()
}

fn lora(asked: Value) -> Lora {
    serde_json::from_value(asked).unwrap()
}

fn base(name: &str) -> Model {
    let folder = path(&format!("{name}-tiny"));
    let config = Some(read_config(&folder.join("config.json")).unwrap());
    let spec = Spec { config, dropout: Some(0.0), ..Spec::new(arch(name), CLASSES) };
    let model = Model::build(&spec, 1, Device::Cpu).unwrap();
    model.load(&luthier_weights::read(&folder).unwrap(), &[]).unwrap();
    model
}

fn input(name: &str) -> Input {
    if name == "vit" {
        return Input::Pictures(common::pictures(32, 4));
    }
    let fixture: Value = fixture(&format!("{name}-tiny.json"));
    let texts: Vec<Vec<u32>> = serde_json::from_value(fixture["texts"].clone()).unwrap();
    Input::Tokens(Tokens::pack(&texts).unwrap())
}

fn planned(model: &Model, asked: Value) -> Result<LoraPlan, PlanError> {
    model.plan_lora(&lora(asked), None, &[format!("{}.weight", model.head)])
}

fn with_lora(mut model: Model, asked: Value) -> (Model, LoraPlan) {
    let plan = planned(&model, asked).unwrap();
    model.add_lora(&plan, 7).unwrap();
    (model, plan)
}

fn adapted(case: &Case) -> (Model, LoraPlan) {
    let mut model = base(&case.model);
    let file = read_adapter(&path("lora").join(&case.name)).unwrap();
    let plan = model.plan_lora(&lora(json!({ "adapter": "somewhere" })), Some(&file), &[]).unwrap();
    model.add_lora(&plan, 7).unwrap();
    file.copy_into(&model).unwrap();
    (model, plan)
}

fn assert_near(what: &str, got: &Tensor, expected: &[f64]) {
    let got = flat(got);
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= 1e-4, "{what}: {got} is not {expected}");
    }
}

#[test]
fn adapters_of_peft_give_the_same_logits_and_gradients() {
    let cases: Vec<Case> = fixture("lora.json");
    assert_eq!(cases.len(), 5);
    for case in cases {
        for shortcuts in [true, false] {
            let (model, plan) = adapted(&case);
            model.set_shortcuts(shortcuts);
            let logits = model.forward(&input(&case.model), true).unwrap();
            let loss = loss_of(&logits, CLASSES);
            loss.backward();
            assert_near(&case.name, &logits, &case.logits);
            assert_near(&case.name, &loss, &[case.loss]);
            // gradients under the names of PEFT's file, and none of what rests
            let names: Vec<String> = model.adapter_tensors(&plan).into_iter().map(|(name, _)| name).collect();
            let trained: Vec<_> = model.trainable().collect();
            assert_eq!(names.len(), trained.len());
            assert_eq!(names.len(), case.grads.len(), "{}: {names:?}", case.name);
            for (name, entry) in names.iter().zip(trained) {
                let grad = grad(&entry.tensor).unwrap().expect(name);
                assert_same(name, &grad, case.grads[name], 1e-4, 1e-6);
            }
            for entry in model.parameters().filter(|entry| !entry.tensor.requires_grad()) {
                assert!(grad(&entry.tensor).unwrap().is_none(), "{}: {}", case.name, entry.name);
            }
        }
    }
}

#[test]
fn merged_weights_give_the_same_logits() {
    for case in fixture::<Vec<Case>>("lora.json") {
        let (model, _) = adapted(&case);
        let merged = model.merged_state().unwrap();
        let plain = base(&case.model);
        let raw = |tensor: &Tensor| {
            let tensor = tensor.contiguous();
            let bytes = luthier_torch::bytes_of(&tensor).unwrap().to_vec().into();
            let shape = tensor.size().iter().map(|&extent| extent as usize).collect();
            RawTensor { dtype: Dtype::F32, shape, bytes }
        };
        let tensors = merged.iter().map(|(name, tensor)| (name.clone(), raw(tensor))).collect();
        plain.load_strict(&Weights { tensors, ..Weights::default() }).unwrap();
        assert_near(&case.name, &plain.forward(&input(&case.model), false).unwrap(), &case.logits);
    }
}

#[test]
fn what_is_written_is_what_was_read() {
    for case in fixture::<Vec<Case>>("lora.json") {
        let (model, plan) = adapted(&case);
        let theirs =
            luthier_weights::read(&path("lora").join(&case.name).join("adapter_model.safetensors")).unwrap();
        let mut ours: Vec<String> = Vec::new();
        for (name, tensor) in model.adapter_tensors(&plan) {
            let raw = &theirs.tensors[&name];
            assert_eq!(luthier_model::tensor_of(&name, raw).unwrap(), tensor, "{name}");
            ours.push(name);
        }
        ours.sort();
        // with `bias = "all"`, PEFT writes those of a module to save once more, and those it took the place of
        let twice =
            |name: &&String| !name.contains(".modules_to_save.") && !name.contains(".original_module.");
        let mut expected: Vec<String> = theirs.tensors.keys().filter(twice).cloned().collect();
        expected.sort();
        assert_eq!(ours, expected);
        let config = model.adapter_config(&plan, Some("base"));
        let original = read_config(&path("lora").join(&case.name).join("adapter_config.json")).unwrap();
        for key in ["peft_type", "r", "bias", "use_rslora", "use_dora", "modules_to_save", "fan_in_fan_out"] {
            assert_eq!(config[key], original[key], "{}: {key}", case.name);
        }
        // the shortest words that mean these layers and no others
        let expected = match case.name.as_str() {
            "vit-dora" => json!(["fc1", "fc2", "k_proj", "o_proj", "q_proj", "v_proj"]),
            "vit" => json!(["q_proj", "v_proj"]),
            "gpt2-dora" => json!(["c_attn", "c_fc"]),
            "gpt2" => json!(["c_attn"]),
            _ => json!(["query", "value"]),
        };
        assert_eq!(config["target_modules"], expected, "{}", case.name);
    }
}

#[test]
fn words_that_mean_other_layers_too_are_written_whole() {
    let (model, plan) = with_lora(base("gpt2"), json!({ "alpha": 1.0, "target_modules": ["attn.c_proj"] }));
    let names = ["transformer.h.0.attn.c_proj", "transformer.h.1.attn.c_proj"];
    assert_eq!(model.adapter_config(&plan, None)["target_modules"], json!(names));
}

#[test]
fn at_first_nothing_changes_and_a_has_no_gradient() {
    for (name, asked) in [
        ("vit", json!({ "r": 2, "alpha": 4.0 })),
        ("vit", json!({ "r": 2, "alpha": 4.0, "use_dora": true, "target_modules": "all-linear" })),
        ("gpt2", json!({ "r": 2, "alpha": 4.0 })),
        ("bert", json!({ "r": 2, "alpha": 4.0 })),
    ] {
        let expected = base(name).forward(&input(name), false).unwrap();
        let (model, plan) = with_lora(base(name), asked);
        let logits = model.forward(&input(name), true).unwrap();
        assert!(apart(&logits, &expected) < 1e-5, "{name}");
        loss_of(&logits, CLASSES).backward();
        let norm = |ending: &str| {
            let entries = model.trainable().filter(|entry| entry.name.ends_with(ending));
            entries
                .map(|entry| f64::try_from(grad(&entry.tensor).unwrap().unwrap().norm()).unwrap())
                .sum::<f64>()
        };
        assert!(norm("lora_A.weight") < 1e-12 && norm("lora_B.weight") > 1e-3, "{name}");
        // PEFT's start: uniform in ±1/√inputs
        for entry in model.trainable().filter(|entry| entry.name.ends_with("lora_A.weight")) {
            let bound = 1.0 / (entry.tensor.size()[1] as f64).sqrt();
            let most = f64::try_from(entry.tensor.abs().max()).unwrap();
            assert!(most <= bound && most > 0.8 * bound, "{}: {most}", entry.name);
        }
        assert!(model.lora_note(&plan).starts_with("LoRA of rank 2 and scale 2 on "));
    }
}

#[test]
fn the_seed_decides_and_the_base_does_not_notice() {
    let plain = base("vit").state();
    let states = [7, 7, 8].map(|seed| {
        let mut model = base("vit");
        let plan = planned(&model, json!({ "alpha": 1.0 })).unwrap();
        model.add_lora(&plan, seed).unwrap();
        model.state()
    });
    assert_eq!(states[0], states[1]);
    assert_ne!(states[0], states[2]);
    let without: Vec<_> = states[0]
        .iter()
        .filter(|(name, _)| !name.contains("lora_"))
        .map(|(name, tensor)| (name.clone(), tensor.shallow_clone()))
        .collect();
    assert_eq!(without, plain);
}

#[test]
fn dropout_drops_in_training_only_and_parts_say_so() {
    let _draws = manual_seed(1);
    let (model, _) = with_lora(base("gpt2"), json!({ "alpha": 8.0, "dropout": 0.5 }));
    tch::no_grad(|| {
        for entry in model.trainable().filter(|entry| entry.name.ends_with("lora_B.weight")) {
            let _ = entry.tensor.shallow_clone().fill_(0.3);
        }
    });
    let run = |train| model.forward(&input("gpt2"), train).unwrap();
    assert_eq!(run(false), run(false));
    assert!(apart(&run(true), &run(true)) > 1e-4);
    let noisy: Vec<_> = model.parts().iter().map(|part| part.noisy).collect();
    assert_eq!(noisy, [false, true, true, false]);
    let entries: Vec<_> =
        model.store.entries().iter().map(|entry| model.part_of(&entry.name).unwrap()).collect();
    assert!(entries.is_sorted(), "tensors of LoRA stand at their layers");
}

#[test]
fn each_layer_drops_other_inputs_as_in_peft() {
    let _draws = manual_seed(1);
    // so much is dropped that about every second input is hidden from a layer in all rows: its A has no gradient there
    let (model, plan) = with_lora(base("vit"), json!({ "alpha": 8.0, "dropout": 0.99 }));
    tch::no_grad(|| {
        for entry in model.trainable().filter(|entry| entry.name.ends_with("lora_B.weight")) {
            let _ = entry.tensor.shallow_clone().fill_(0.3);
        }
    });
    loss_of(&model.forward(&input("vit"), true).unwrap(), CLASSES).backward();
    let seen = |layer: &str| -> Vec<bool> {
        let a = model.trainable().find(|entry| entry.name == format!("{layer}.lora_A.weight")).unwrap();
        flat(&grad(&a.tensor).unwrap().unwrap().select(0, 0)).iter().map(|grad| *grad != 0.0).collect()
    };
    assert_eq!(plan.modules.len(), 4);
    // queries and values of the first block
    let [queries, values] = [0, 1].map(|at| seen(&plan.modules[at]));
    for inputs in [&queries, &values] {
        assert!(inputs.contains(&true) && inputs.contains(&false), "{inputs:?}");
    }
    assert_ne!(queries, values);
}

#[test]
fn layers_are_named_as_in_peft() {
    let count = |name: &str, targets: Value| {
        let model = base(name);
        planned(&model, json!({ "alpha": 1.0, "target_modules": targets })).unwrap().modules.len()
    };
    assert_eq!(count("vit", json!(["query", "value"])), 4);
    assert_eq!(count("vit", json!(["q_proj", "v_proj"])), 4, "names of transformers 5");
    assert_eq!(count("vit", json!(["vit.encoder.layer.1.attention.attention.query"])), 1);
    assert_eq!(count("vit", json!(["*.layer.0.*"])), 6);
    assert_eq!(count("vit", json!("all-linear")), 12, "all but the head");
    assert_eq!(count("gpt2", json!(["c_attn", "mlp.c_proj"])), 4);
    assert_eq!(count("bert", json!("all-linear")), 13, "the pooler, too");
    let resnet = Model::new(Arch::Resnet18, 3, None, 1, Device::Cpu).unwrap();
    let plan = planned(&resnet, json!({ "alpha": 1.0, "target_modules": ["fc"] })).unwrap();
    assert_eq!(
        (plan.modules, plan.modules_to_save),
        (vec!["fc".to_owned()], Vec::new()),
        "LoRA on a head alone"
    );
    let layers =
        serde_json::from_value(json!([{ "linear": 8 }, { "act": "relu" }, { "linear": "classes" }])).unwrap();
    let stack = Stack {
        input: luthier_model::Shape::Row(4),
        layers,
        init: luthier_recipe::Init::default(),
        output: luthier_recipe::OutputAct::None,
    };
    let spec = Spec { stack: Some(stack), ..Spec::new(Arch::Sequential, 2) };
    let model = Model::build(&spec, 1, Device::Cpu).unwrap();
    let (model, plan) = with_lora(model, json!({ "alpha": 1.0, "target_modules": ["0"] }));
    assert_eq!((plan.modules, plan.modules_to_save), (vec!["0".to_owned()], vec!["2".to_owned()]));
    let trained: Vec<_> = model.trainable().map(|entry| entry.name.as_str()).collect();
    assert_eq!(trained, ["0.lora_A.weight", "0.lora_B.weight", "2.weight", "2.bias"]);
}

#[test]
fn what_is_trained_is_what_was_asked() {
    let trained = |asked: Value| -> Vec<String> {
        let (model, _) = with_lora(base("vit"), asked);
        let names = model.trainable().map(|entry| entry.name.clone());
        names.filter(|name| !name.contains("lora_") && !name.starts_with("classifier")).collect()
    };
    let one = "vit.encoder.layer.1.attention.attention.value";
    assert!(trained(json!({ "alpha": 1.0 })).is_empty());
    let only = trained(json!({ "alpha": 1.0, "target_modules": [one], "bias": "lora_only" }));
    assert_eq!(only, [format!("{one}.bias")]);
    let all = trained(json!({ "alpha": 1.0, "bias": "all" }));
    assert_eq!(all.len(), 18, "{all:?}");
    let norm = trained(json!({ "alpha": 1.0, "modules_to_save": ["vit.layernorm", "classifier"] }));
    assert_eq!(norm, ["vit.layernorm.weight", "vit.layernorm.bias"]);
    // a layer in both lists is trained whole
    let both = json!({ "alpha": 1.0, "modules_to_save": ["query", "classifier"] });
    assert_eq!(planned(&base("vit"), both.clone()).unwrap().modules.len(), 2);
    assert_eq!(trained(both).len(), 4);
}

#[test]
fn what_cannot_be_is_refused_with_the_place() {
    let layers = "linear layers are `vit.encoder.layer.*.attention.attention.query`, \
                  `vit.encoder.layer.*.attention.attention.key`, `vit.encoder.layer.*.attention.attention.value`, \
                  `vit.encoder.layer.*.attention.output.dense`, `vit.encoder.layer.*.intermediate.dense`, \
                  `vit.encoder.layer.*.output.dense`, and the head `classifier`";
    for (asked, key, what, help) in [
        (
            json!({ "alpha": 1.0, "target_modules": ["value", "qeury"] }),
            "model.lora.target_modules[1]",
            "`qeury` matches no linear layer",
            format!("did you mean `query`? {layers}"),
        ),
        (
            json!({ "alpha": 1.0, "target_modules": ["*.attn.*"] }),
            "model.lora.target_modules[0]",
            "`*.attn.*` matches no linear layer",
            layers.to_owned(),
        ),
        (
            json!({ "alpha": 1.0, "target_modules": ["projection"] }),
            "model.lora.target_modules[0]",
            "`projection` is no linear layer, and LoRA stands at those alone",
            layers.to_owned(),
        ),
        (
            json!({ "alpha": 1.0, "modules_to_save": [] }),
            "model.lora.modules_to_save",
            "`classifier` starts from random weights and would stay as it is",
            "add `classifier` to `modules_to_save`, or leave `modules_to_save` out: what starts random is trained then"
                .to_owned(),
        ),
        (
            json!({ "alpha": 1.0, "modules_to_save": ["clasifier"] }),
            "model.lora.modules_to_save[0]",
            "`clasifier` matches no layer of the model",
            "did you mean `classifier`? the head is `classifier`".to_owned(),
        ),
        (
            json!({ "alpha": 1.0, "modules_to_save": ["query", "value", "classifier"] }),
            "model.lora.target_modules",
            "LoRA has no layer to stand at: all of them are in `modules_to_save`",
            layers.to_owned(),
        ),
    ] {
        let error = planned(&base("vit"), asked).unwrap_err();
        assert_eq!((error.key.as_str(), error.what.as_str()), (key, what));
        assert!(error.help.as_ref().unwrap().starts_with(&help), "{error:?}");
    }
    // a head that the weights brought may rest
    let kept = lora(json!({ "alpha": 1.0, "modules_to_save": [] }));
    assert!(base("vit").plan_lora(&kept, None, &[]).is_ok());
}

#[test]
fn adapters_that_do_not_fit_are_refused() {
    let case = |name: &str| path("lora").join(name);
    let file = read_adapter(&case("gpt2")).unwrap();
    let asked = lora(json!({ "adapter": "somewhere" }));
    let error = base("vit").plan_lora(&asked, Some(&file), &[]).unwrap_err();
    assert!(error.what.starts_with("the adapter has `transformer.h.0.attn.c_attn.lora_A.weight`"), "{error}");
    assert!(read_adapter(&case("nowhere")).unwrap_err().to_string().contains("No such file"));
    let folder = std::env::temp_dir().join(format!("luthier-adapter-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(case("vit").join("adapter_model.safetensors"), folder.join("adapter_model.safetensors"))
        .unwrap();
    let config = read_config(&case("vit").join("adapter_config.json")).unwrap();
    for (changes, why) in [
        (json!({ "peft_type": "IA3" }), "it is of the type `IA3`, and only `LORA` is read"),
        (json!({ "rank_pattern": { "q_proj": 4 } }), "its `rank_pattern` is not supported"),
        (json!({ "lora_bias": true }), "its `lora_bias` is not supported"),
        (json!({ "r": 0 }), "`r` is at least 1 and `lora_alpha` above 0"),
        (json!({ "r": "two" }), "invalid type: string \"two\", expected u64"),
    ] {
        let mut config = config.clone();
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        std::fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
        let error = read_adapter(&folder).unwrap_err().to_string();
        assert!(error.ends_with(why), "{error}");
    }
    // a rank that the tensors do not have
    let mut wrong = config.clone();
    wrong["r"] = json!(4);
    std::fs::write(folder.join("adapter_config.json"), wrong.to_string()).unwrap();
    let file = read_adapter(&folder).unwrap();
    let mut model = base("vit");
    let plan = model.plan_lora(&asked, Some(&file), &[]).unwrap();
    model.add_lora(&plan, 1).unwrap();
    let error = file.copy_into(&model).unwrap_err().to_string();
    assert!(error.contains("lora_A.weight` is [3, 32] in the file, [4, 32] in the model"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}
