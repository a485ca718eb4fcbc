//! Weights of text models in and out: names of transformers, what is left out, and configs that disagree.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::{Path, PathBuf};

use common::spec;
use luthier_model::{Model, ModelError, Spec, config_of, huggingface_config, huggingface_name, read_config};
use luthier_plan::LoadReport;
use luthier_recipe::{Arch, Pool};
use luthier_weights::{Dtype, RawTensor, Weights};
use miette::Diagnostic;
use serde_json::{Value, json};
use tch::{Device, Tensor};

fn folder(arch: Arch) -> PathBuf {
    let name = if arch == Arch::Gpt2 { "gpt2-tiny" } else { "bert-tiny" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The checkpoint that transformers saved.
fn file(arch: Arch) -> Weights {
    luthier_weights::read(&folder(arch)).unwrap()
}

/// An empty model for it; `changes` to its config.
fn empty(arch: Arch, pool: Option<Pool>, changes: Value) -> Model {
    let mut config = read_config(&folder(arch).join("config.json")).unwrap();
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let spec = Spec { config: Some(config), pool, ..Spec::new(arch, 3) };
    Model::build(&spec, 1, Device::Cpu).unwrap()
}

fn loaded(arch: Arch, pool: Option<Pool>, weights: &Weights) -> (Model, LoadReport) {
    let model = empty(arch, pool, json!({}));
    let report = model.load(weights, &[]).unwrap();
    (model, report)
}

fn floats(values: &[f32], shape: &[usize]) -> RawTensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    RawTensor { dtype: Dtype::F32, shape: shape.to_vec(), bytes: bytes.into() }
}

fn renamed(mut weights: Weights, new: impl Fn(&str) -> String) -> Weights {
    weights.tensors = weights.tensors.into_iter().map(|(name, tensor)| (new(&name), tensor)).collect();
    weights
}

#[test]
fn names_are_read_with_and_without_the_prefix() {
    for (arch, prefix) in [(Arch::Gpt2, "transformer."), (Arch::Bert, "bert.")] {
        let with = file(arch);
        assert!(with.tensors.keys().any(|name| name.starts_with(prefix)));
        let without = renamed(with.clone(), |name| name.trim_start_matches(prefix).to_owned());
        let ((a, said), (b, nothing)) = (loaded(arch, None, &with), loaded(arch, None, &without));
        assert_eq!(said.notes, [format!("the prefix `{prefix}` of `transformers` was taken off")]);
        assert!(nothing.notes.is_empty());
        assert_eq!(a.state(), b.state());
        assert!(said.head.is_empty() && said.matched == a.store.entries().len());
        // and back: what transformers saved is what we would write
        let ours: Vec<_> = a.state().iter().map(|(name, _)| huggingface_name(arch, name).unwrap()).collect();
        assert_eq!(ours.len(), with.tensors.len());
        assert!(ours.iter().all(|name| with.tensors.contains_key(name)), "{ours:?}");
    }
}

#[test]
fn what_gpt2_carries_along_is_left_out() {
    let mut weights = renamed(file(Arch::Gpt2), |name| name.trim_start_matches("transformer.").to_owned());
    weights.tensors.insert("h.0.attn.bias".into(), floats(&[1.0], &[1, 1, 1, 1]));
    weights.tensors.insert("h.1.attn.masked_bias".into(), floats(&[-1e4], &[]));
    let table = weights.tensors["wte.weight"].clone();
    weights.tensors.insert("lm_head.weight".into(), table.clone());
    let (_, report) = loaded(Arch::Gpt2, None, &weights);
    assert_eq!(
        report.notes,
        ["the language-model head `lm_head.weight`, which is the table `wte.weight` once more, was left out"]
    );

    // a head of its own is no copy
    let other = floats(&vec![0.5; 3200], &[100, 32]);
    weights.tensors.insert("lm_head.weight".into(), other);
    let error = empty(Arch::Gpt2, None, json!({})).load(&weights, &[]).unwrap_err();
    assert_eq!(error.to_string(), "the weights do not fit `gpt2`: 1 tensor is unexpected (`lm_head.weight`)");
    weights.tensors.insert("lm_head.weight".into(), table);
    weights.tensors.insert("h.0.attn.bias_2".into(), floats(&[1.0], &[1]));
    assert!(empty(Arch::Gpt2, None, json!({})).load(&weights, &[]).is_err());
}

#[test]
fn what_bert_carries_along_is_left_out() {
    let mut weights = renamed(file(Arch::Bert), |name| {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    });
    weights.tensors.insert("bert.embeddings.position_ids".into(), floats(&[0.0], &[1, 1]));
    weights.tensors.insert("cls.predictions.bias".into(), floats(&[0.0; 100], &[100]));
    weights.tensors.insert("cls.seq_relationship.bias".into(), floats(&[0.0; 2], &[2]));
    let (model, report) = loaded(Arch::Bert, None, &weights);
    assert_eq!(
        report.notes,
        [
            "the prefix `bert.` of `transformers` was taken off",
            "`gamma` and `beta` of the normalisations were read as `weight` and `bias`",
            "the heads of pre-training, `cls.*`, were left out",
        ]
    );
    assert_eq!(model.state(), loaded(Arch::Bert, None, &file(Arch::Bert)).0.state());
}

#[test]
fn a_pooler_is_read_left_out_or_random() {
    let (model, report) = loaded(Arch::Bert, Some(Pool::Cls), &file(Arch::Bert));
    assert!(report.head.is_empty() && model.store.get("pooler.dense.weight").is_some());

    for pool in [Pool::Mean, Pool::LastToken] {
        let (model, report) = loaded(Arch::Bert, Some(pool), &file(Arch::Bert));
        assert!(model.store.get("pooler.dense.weight").is_none());
        assert_eq!(
            report.notes[1],
            "the weights of the pooler, `pooler.*`, which only `pool = \"cls\"` reads, were left out"
        );
    }

    let mut weights = file(Arch::Bert);
    weights.tensors.retain(|name, _| !name.contains("pooler"));
    let (_, report) = loaded(Arch::Bert, Some(Pool::Cls), &weights);
    assert_eq!(report.head, ["pooler.dense.weight", "pooler.dense.bias"]);
    assert!(report.missing.is_empty());

    // half a pooler is a damaged one
    weights.tensors.insert("bert.pooler.dense.bias".into(), floats(&[0.0; 32], &[32]));
    let error = empty(Arch::Bert, Some(Pool::Cls), json!({})).load(&weights, &[]).unwrap_err();
    assert!(error.to_string().contains("1 tensor is missing (`pooler.dense.weight`)"), "{error}");
}

#[test]
fn a_config_that_disagrees_with_the_weights_names_its_key() {
    let rows = [
        (
            Arch::Gpt2,
            json!({"n_layer": 3}),
            "`n_layer` = 3, and the weights are others: they have 2 layers, there is no `h.2.ln_1.weight`",
        ),
        (
            Arch::Gpt2,
            json!({"n_layer": 1}),
            "`n_layer` = 1, and the weights are others: they have 2 layers, there is `h.1.attn.c_attn.bias`",
        ),
        (
            Arch::Gpt2,
            json!({"vocab_size": 101}),
            "`vocab_size` = 101, and the weights are others: `wte.weight` is [100, 32] in the file, [101, 32] by the config",
        ),
        (
            Arch::Gpt2,
            json!({"n_positions": 41}),
            "`n_positions` = 41, and the weights are others: `wpe.weight` is [40, 32] in the file, [41, 32] by the config",
        ),
        (
            Arch::Gpt2,
            json!({"n_embd": 36}),
            "`n_embd` = 36, and the weights are others: `wte.weight` is [100, 32] in the file, [100, 36] by the config",
        ),
        (
            Arch::Gpt2,
            json!({"n_inner": null}),
            "`n_inner` = 128, and the weights are others: `h.0.mlp.c_fc.weight` is [32, 48] in the file, [32, 128] by the config",
        ),
        (
            Arch::Bert,
            json!({"num_hidden_layers": 4}),
            "`num_hidden_layers` = 4, and the weights are others: they have 2 layers, there is no `encoder.layer.2.attention.self.query.weight`",
        ),
        (
            Arch::Bert,
            json!({"intermediate_size": 64}),
            "`intermediate_size` = 64, and the weights are others: `encoder.layer.0.intermediate.dense.weight` is [48, 32] in the file, [64, 32] by the config",
        ),
        (
            Arch::Bert,
            json!({"type_vocab_size": 1}),
            "`type_vocab_size` = 1, and the weights are others: `embeddings.token_type_embeddings.weight` is [2, 32] in the file, [1, 32] by the config",
        ),
        (
            Arch::Bert,
            json!({"hidden_size": 64}),
            "`hidden_size` = 64, and the weights are others: `embeddings.word_embeddings.weight` is [100, 32] in the file, [100, 64] by the config",
        ),
    ];
    for (arch, changes, message) in rows {
        let model = empty(arch, None, changes);
        let before = model.state().iter().map(|(_, tensor)| tensor.copy()).collect::<Vec<Tensor>>();
        for error in [model.load(&file(arch), &[]).unwrap_err(), model.load_strict(&file(arch)).unwrap_err()]
        {
            assert_eq!(error.to_string(), format!("the config says {message}"));
            assert!(error.help().unwrap().to_string().contains("`model.config`"));
        }
        let after: Vec<Tensor> = model.state().into_iter().map(|(_, tensor)| tensor).collect();
        assert_eq!(before, after, "nothing was copied");
    }
    // a head for other classes is no disagreement, but a checkpoint's must fit
    let spec = Spec { classes: 5, ..Spec::of(&recipe(Arch::Gpt2, None), 5, config(Arch::Gpt2), None) };
    let model = Model::build(&spec, 1, Device::Cpu).unwrap();
    assert_eq!(model.load(&file(Arch::Gpt2), &[]).unwrap().head, ["score.weight"]);
    let error = model.load_strict(&file(Arch::Gpt2)).unwrap_err();
    assert!(matches!(error, ModelError::Unmatched { .. }), "{error}");
}

#[test]
fn weights_of_another_architecture_are_told_as_such() {
    let error = empty(Arch::Gpt2, None, json!({})).load(&file(Arch::Bert), &[]).unwrap_err();
    assert!(error.to_string().starts_with("the weights do not fit `gpt2`: "), "{error}");
    // a body of our own size, so that the shapes can be recognised
    let model = Model::build(&Spec::new(Arch::Bert, 2), 1, Device::Cpu).unwrap();
    let raw = |tensor: &Tensor| {
        let shape: Vec<usize> = tensor.size().iter().map(|&extent| extent as usize).collect();
        let bytes = vec![0_u8; tensor.numel() * 4];
        RawTensor { dtype: Dtype::F32, shape, bytes: bytes.into() }
    };
    let tensors = model.state().iter().map(|(name, tensor)| (format!("bert.{name}"), raw(tensor))).collect();
    let weights = Weights { tensors, ..Weights::default() };
    let error = empty(Arch::Gpt2, None, json!({})).load(&weights, &[]).unwrap_err();
    assert_eq!(error.help().unwrap().to_string(), "these look like the weights of `bert`");
}

fn recipe(arch: Arch, config: Option<&str>) -> luthier_recipe::Model {
    luthier_recipe::Model {
        arch,
        weights: Some("none".into()),
        heads: Default::default(),
        layers: None,
        init: None,
        output: luthier_recipe::OutputAct::None,
        vit: None,
        config: config.map(str::to_owned),
        pool: None,
        freeze: Vec::new(),
        train: None,
        lora: None,
        allow_unmatched: Vec::new(),
        dropout: None,
    }
}

fn config(arch: Arch) -> Option<Value> {
    config_of(&recipe(arch, None), Path::new("."), Some(&folder(arch))).unwrap()
}

#[test]
fn configs_are_found() {
    let beside = folder(Arch::Gpt2);
    let expected = read_config(&beside.join("config.json")).unwrap();
    let find = |arch, named, weights: Option<&Path>| config_of(&recipe(arch, named), &beside, weights);
    // the one that is named, the one in the folder, the one beside the file
    assert_eq!(find(Arch::Gpt2, Some("config.json"), None).unwrap(), Some(expected.clone()));
    assert_eq!(find(Arch::Gpt2, None, Some(&beside)).unwrap(), Some(expected.clone()));
    assert_eq!(find(Arch::Gpt2, None, Some(&beside.join("model.safetensors"))).unwrap(), Some(expected));
    // or none: GPT-2 small
    assert_eq!(find(Arch::Gpt2, None, None).unwrap(), None);
    assert_eq!(find(Arch::Gpt2, None, Some(beside.parent().unwrap())).unwrap(), None);
    assert_eq!(find(Arch::Resnet18, None, Some(&beside)).unwrap(), None);
    for (name, why) in [("nowhere.json", "No such file"), ("model.safetensors", "it is not JSON")] {
        let error = find(Arch::Gpt2, Some(name), None).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the config `") && error.contains(why), "{error}");
    }
}

#[test]
fn configs_for_transformers() {
    let classes = ["ham".to_owned(), "spam".to_owned()];
    let config = |arch, pool| {
        let spec = Spec { pool, ..spec(arch, 2) };
        huggingface_config(&Model::build(&spec, 1, Device::Cpu).unwrap(), &classes, Some(7))
    };
    for (arch, class) in
        [(Arch::Gpt2, "GPT2ForSequenceClassification"), (Arch::Bert, "BertForSequenceClassification")]
    {
        let config = config(arch, None).unwrap();
        assert_eq!(config["architectures"], json!([class]));
        assert_eq!(config["id2label"], json!({"0": "ham", "1": "spam"}));
        assert_eq!(config["label2id"], json!({"ham": 0, "spam": 1}));
        assert_eq!(config["pad_token_id"], 7);
        // it is a config of ours, too
        assert!(Model::build(&Spec { config: Some(config), ..Spec::new(arch, 2) }, 1, Device::Cpu).is_ok());
    }
    let error = config(Arch::Gpt2, Some(Pool::Mean)).unwrap_err();
    assert_eq!(error.to_string(), "`transformers` has no `gpt2` that pools by `mean`");
    assert!(matches!(config(Arch::Bert, Some(Pool::LastToken)), Err(ModelError::NotInTransformers { .. })));
    let model = Model::new(Arch::EfficientnetLite0, 2, None, 1, Device::Cpu).unwrap();
    let error = huggingface_config(&model, &classes, None).unwrap_err();
    assert_eq!(error.to_string(), "`transformers` has no `efficientnet-lite0`");
}
