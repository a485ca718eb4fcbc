//! Text models: what is frozen, dropped out, asked for and refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{apart, loss, packed, pooling, spec, texts};
use luthier_model::{Flow, Input, Model, ModelError, Spec, Tokens};
use luthier_recipe::{Arch, Pool};
use luthier_torch::{autocast, grad, manual_seed};
use miette::Diagnostic;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

const TEXTS: [Arch; 2] = [Arch::Gpt2, Arch::Bert];

fn refused(arch: Arch, config: Value) -> (String, String) {
    let error = Model::build(&Spec { config: Some(config), ..spec(arch, 2) }, 1, Device::Cpu).unwrap_err();
    (error.to_string(), error.help().unwrap().to_string())
}

#[test]
fn bf16_copies_of_frozen_weights_change_nothing_but_time() {
    let texts = texts(&[5, 40, 1, 17, 17, 3, 90, 41]);
    for (arch, block) in [(Arch::Gpt2, "h.2.*"), (Arch::Bert, "encoder.layer.2.*")] {
        // the last block and the head are trained, or the head alone
        for last in [true, false] {
            let (plain, kept) = (pooling(arch, Pool::LastToken), pooling(arch, Pool::LastToken));
            kept.keep_bf16_of_frozen(true);
            let exact = plain.forward(&packed(&texts), false).unwrap();
            let mut trained = vec![format!("{}.*", plain.head)];
            trained.extend(last.then(|| block.to_owned()));
            for model in [&plain, &kept] {
                model.train_only(&trained).unwrap();
            }
            let bf16 =
                |model: &Model| autocast(Device::Cpu, true, || model.forward(&packed(&texts), true)).unwrap();
            let (expected, got) = (bf16(&plain), bf16(&kept));
            let noise = apart(&expected, &exact);
            let off = apart(&got, &exact);
            assert!(noise > 0.0 && off < 2.0 * noise, "{arch:?}: {off}, without copies {noise}");
            assert!(off > 0.0, "{arch:?}: that was no bf16");
            loss(&got).backward();
            assert!(kept.trainable().all(|p| grad(&p.tensor).unwrap().is_some()));

            // not without autocast
            let [a, b] = [&plain, &kept].map(|model| model.forward(&packed(&texts), false).unwrap());
            assert_eq!(a, b);

            // dropped with the weight
            let name = plain
                .parameters()
                .find(|p| p.name.ends_with("c_fc.weight") || p.name.ends_with("value.weight"));
            let name = name.unwrap().name.clone();
            for model in [&plain, &kept] {
                let _ = tch::no_grad(|| model.store.get(&name).unwrap().tensor.shallow_clone().neg_());
            }
            let (expected, got, stale) = (bf16(&plain), bf16(&kept), got);
            assert!(apart(&got, &expected) < 3.0 * noise, "{arch:?}: {}", apart(&got, &expected));
            assert!(apart(&got, &stale) > 10.0 * noise, "{arch:?}: the changed weight was not used");
        }
    }
}

#[test]
fn frozen_beginnings_let_gradients_through() {
    // what is trained lies before what is frozen: an embedding, say
    let texts = texts(&[5, 12]);
    for (arch, first) in [(Arch::Gpt2, "wpe.weight"), (Arch::Bert, "embeddings.position_embeddings.weight")] {
        let (plain, kept) = (pooling(arch, Pool::LastToken), pooling(arch, Pool::LastToken));
        kept.keep_bf16_of_frozen(true);
        let grads = [&plain, &kept].map(|model| {
            model.train_only(&[first.to_owned()]).unwrap();
            let logits = autocast(Device::Cpu, true, || model.forward(&packed(&texts), true)).unwrap();
            loss(&logits).backward();
            grad(&model.store.get(first).unwrap().tensor).unwrap().unwrap()
        });
        let norm = f64::try_from(grads[0].norm()).unwrap();
        assert!(norm > 0.0 && apart(&grads[0], &grads[1]) < 0.02 * norm, "{arch:?}");
    }
}

#[test]
fn only_what_is_named_is_trained() {
    let model = pooling(Arch::Gpt2, Pool::LastToken);
    let patterns = |patterns: &[&str]| -> Vec<String> { patterns.iter().map(|&p| p.to_owned()).collect() };
    let error = model.train_only(&patterns(&["h.2.*", "ln_g.*"])).unwrap_err();
    assert_eq!(error.to_string(), "the train pattern `ln_g.*` matches no parameter of `gpt2`");
    let help = error.help().unwrap().to_string();
    assert!(help.starts_with("near are `ln_f`"), "{help}");
    assert_eq!(model.trainable().count(), model.parameters().count(), "nothing was frozen");
    assert!(matches!(model.train_only(&patterns(&["h[2"])), Err(ModelError::Pattern(_))));

    let frozen = model.train_only(&patterns(&["h.2.*", "ln_f.*", "score.*"])).unwrap();
    assert_eq!(frozen.len(), 2 + 2 * 12);
    let trained: Vec<_> = model.trainable().map(|entry| model.part_of(&entry.name).unwrap()).collect();
    assert_eq!(trained, [[3; 12].as_slice(), &[4; 3]].concat());
}

#[test]
fn what_is_no_batch_of_texts_is_refused() {
    for arch in TEXTS {
        let model = pooling(arch, Pool::LastToken);
        assert_eq!((model.vocab_size(), model.positions()), (Some(50), Some(120)));
        let refused = |input: &Input| {
            let error = model.forward(input, false).unwrap_err();
            assert!(!error.help().unwrap().to_string().is_empty());
            error.to_string()
        };
        let of = |ids: &[i64], lengths: &[i64]| {
            Input::Tokens(Tokens { ids: Tensor::from_slice(ids), lengths: lengths.to_vec() })
        };
        assert_eq!(refused(&of(&[], &[])), "a batch of texts has no text in it");
        assert_eq!(refused(&of(&[1, 2], &[2, 0])), "text 1 of the batch, counted from 0, has no tokens");
        assert_eq!(
            refused(&packed(&texts(&[3, 121]))),
            "text 1 of the batch, counted from 0, has 121 tokens, and the model has positions for 120"
        );
        for id in [50, -1, i64::MAX] {
            assert_eq!(
                refused(&of(&[1, id], &[2])),
                format!("there is no token {id}: the model's vocabulary has 50, counted from 0")
            );
        }
        for lengths in [&[1][..], &[3], &[4, -2], &[i64::MAX, 2]] {
            let error = refused(&of(&[1, 2], lengths));
            let packing = error.starts_with("packed tokens are one row of int64");
            assert!(packing || error.contains("has no tokens") || error.contains("positions for"), "{error}");
        }
        let square = Tensor::zeros([2, 2], (Kind::Int64, Device::Cpu));
        refused(&Input::Tokens(Tokens { ids: square, lengths: vec![4] }));
        let floats = Tensor::zeros([2], (Kind::Float, Device::Cpu));
        refused(&Input::Tokens(Tokens { ids: floats, lengths: vec![2] }));
        // the longest text that there can be
        assert_eq!(model.forward(&packed(&texts(&[120])), false).unwrap().size(), [1, 10]);
        let flow = Flow::plain(Tensor::zeros([2, 32], (Kind::Float, Device::Cpu)));
        assert!(matches!(model.run(1..2, flow, false), Err(ModelError::NoLayout)));
    }
    let tokens = Tokens::pack(&texts(&[2])).unwrap();
    let error = pooling(Arch::Bert, Pool::Cls).next_tokens(tokens, false).unwrap_err();
    assert_eq!(error.to_string(), "the architecture has no language-model head");
}

#[test]
fn dropout_drops_in_training_only() {
    // libtorch's generator is one for the process: the tests beside this one draw their weights from it
    let _draws = manual_seed(1);
    let _guard = tch::no_grad_guard();
    for arch in TEXTS {
        let spec = Spec { dropout: Some(0.3), ..spec(arch, 3) };
        let model = Model::build(&spec, 1, Device::Cpu).unwrap();
        common::fill(&model);
        let twice = |train| {
            let [a, b] = [0, 1].map(|_| model.forward(&packed(&texts(&[9, 4])), train).unwrap());
            a == b
        };
        assert!(twice(false) && !twice(true), "{arch:?}");
        // each text has dropout of its own, also where it begins like another
        let same = packed(&[&texts(&[9])[..], &texts(&[9])].concat());
        let halves = |train| {
            let hidden = model.run(0..2, model.begin(&same).unwrap(), train).unwrap().hidden;
            (hidden.narrow(0, 0, 9), hidden.narrow(0, 9, 9))
        };
        let ((a, b), (c, d)) = (halves(false), halves(true));
        assert!(a == b && c != d, "{arch:?}");
        // attention alone
        let mut config = spec.config.clone().unwrap();
        let rates = if arch == Arch::Gpt2 {
            json!({"embd_pdrop": 0.0, "resid_pdrop": 0.0, "attn_pdrop": 0.5})
        } else {
            json!({"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.5})
        };
        config.as_object_mut().unwrap().extend(rates.as_object().unwrap().clone());
        let spec = Spec { dropout: None, config: Some(config), ..spec };
        let model = Model::build(&spec, 1, Device::Cpu).unwrap();
        common::fill(&model);
        let [a, b] = [0, 1].map(|_| model.forward(&packed(&texts(&[9, 4])), true).unwrap());
        assert_ne!(a, b, "{arch:?}");
        let noisy: Vec<bool> = model.parts().iter().map(|part| part.noisy).collect();
        assert_eq!(noisy, [false, true, true, true, false], "{arch:?}");
    }
}

#[test]
fn configs_that_cannot_be_are_refused() {
    let rows = [
        (
            Arch::Gpt2,
            json!({"n_head": 5}),
            "the config's `n_head` cannot be 5: `n_embd` is 768, which 5 heads cannot share evenly",
        ),
        (
            Arch::Gpt2,
            json!({"n_layer": 0}),
            "the config's `n_layer` cannot be 0: it is a whole number from 1 to 1024",
        ),
        (
            Arch::Gpt2,
            json!({"n_layer": 1e9}),
            "the config's `n_layer` cannot be 1000000000.0: it is a whole number from 1 to 1024",
        ),
        (
            Arch::Gpt2,
            json!({"vocab_size": "many"}),
            "the config's `vocab_size` cannot be \"many\": it is a whole number from 1 to 16777216",
        ),
        (
            Arch::Gpt2,
            json!({"activation_function": "swish"}),
            "the config's `activation_function` cannot be \"swish\": supported are `gelu`, `gelu_new`, `gelu_pytorch_tanh` and `relu`",
        ),
        (
            Arch::Gpt2,
            json!({"add_cross_attention": true}),
            "the config's `add_cross_attention` cannot be true: only false is supported",
        ),
        (
            Arch::Gpt2,
            json!({"attn_pdrop": 1.0}),
            "the config's `attn_pdrop` cannot be 1.0: it is a number from 0 to below 1",
        ),
        (
            Arch::Gpt2,
            json!({"layer_norm_epsilon": -1}),
            "the config's `layer_norm_epsilon` cannot be -1: it is a number above 0",
        ),
        (
            Arch::Gpt2,
            json!({"model_type": "bert"}),
            "the config's `model_type` cannot be \"bert\": `model.arch` is `gpt2`",
        ),
        (
            Arch::Gpt2,
            json!([1]),
            "the config's `config.json` cannot be [1]: it is an object of keys and values",
        ),
        (
            Arch::Gpt2,
            json!({"quantization_config": {"bits": 4}}),
            "the config's `quantization_config` cannot be {\"bits\":4}: only null is supported",
        ),
        (
            Arch::Bert,
            json!({"position_embedding_type": "relative_key"}),
            "the config's `position_embedding_type` cannot be \"relative_key\": only \"absolute\" is supported",
        ),
        (
            Arch::Bert,
            json!({"is_decoder": true}),
            "the config's `is_decoder` cannot be true: only false is supported",
        ),
        (
            Arch::Bert,
            json!({"hidden_size": 100}),
            "the config's `num_attention_heads` cannot be 12: `hidden_size` is 100, which 12 heads cannot share evenly",
        ),
        (Arch::Resnet18, json!({}), "`resnet18` has one shape, and takes no config"),
    ];
    for (arch, config, message) in rows {
        assert_eq!(refused(arch, config).0, message);
    }
    let error =
        Model::build(&Spec { pool: Some(Pool::Mean), ..Spec::new(Arch::Resnet18, 2) }, 1, Device::Cpu);
    assert_eq!(error.unwrap_err().to_string(), "`resnet18` sees pictures, and has no tokens to choose from");
}

#[test]
fn a_config_makes_the_same_model_again() {
    for arch in TEXTS {
        let model = pooling(arch, Pool::Mean);
        let again = Spec { config: model.config(), pool: model.pool(), ..Spec::new(arch, 10) };
        let again = Model::build(&again, 1, Device::Cpu).unwrap();
        assert_eq!(again.config(), model.config());
        assert!(again.parts().iter().all(|part| !part.noisy), "the rates are in the config");
    }
    assert_eq!(common::model(Arch::Resnet18).config(), None);
    assert_eq!(common::model(Arch::Resnet18).vocab_size(), None);
}
