//! Text models: what they compute, and what they refuse.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{flat, loss, packed, spec, texts};
use luthier_model::{Flow, Input, Model, ModelError, Spec, Tokens};
use luthier_recipe::{Arch, Pool};
use luthier_torch::{autocast, clear_grad, grad};
use miette::Diagnostic;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

const TEXTS: [Arch; 2] = [Arch::Gpt2, Arch::Bert];
const POOLS: [Pool; 3] = [Pool::LastToken, Pool::Cls, Pool::Mean];

/// A small model without dropout, with the formula's weights.
fn model(arch: Arch, pool: Pool) -> Model {
    let spec = Spec { pool: Some(pool), ..spec(arch, common::CLASSES) };
    let model = Model::build(&spec, common::SEED, Device::Cpu).unwrap();
    common::fill(&model);
    model
}

fn refused(arch: Arch, config: Value) -> (String, String) {
    let error = Model::build(&Spec { config: Some(config), ..spec(arch, 2) }, 1, Device::Cpu).unwrap_err();
    (error.to_string(), error.help().unwrap().to_string())
}

/// Largest difference.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    f64::try_from((a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max()).unwrap()
}

/// Logits, and the gradient of every parameter that has one.
fn step(model: &Model, texts: &[Vec<u32>]) -> (Tensor, Vec<(String, Tensor)>) {
    for parameter in model.parameters() {
        clear_grad(&parameter.tensor).unwrap();
    }
    let logits = model.forward(&packed(texts), true).unwrap();
    loss(&logits).backward();
    let grads = model.parameters().filter_map(|p| Some((p.name.clone(), grad(&p.tensor).unwrap()?)));
    (logits.detach(), grads.collect())
}

fn assert_same_step(what: &str, a: &Model, b: &Model, texts: &[Vec<u32>]) {
    let ((logits, grads), (others, other_grads)) = (step(a, texts), step(b, texts));
    assert!(apart(&logits, &others) < 1e-5, "{what}: logits off by {}", apart(&logits, &others));
    assert_eq!(grads.len(), other_grads.len());
    for ((name, grad), (_, other)) in grads.iter().zip(&other_grads) {
        assert!(apart(grad, other) < 1e-5, "{what}: gradient of {name} off by {}", apart(grad, other));
    }
}

#[test]
fn the_last_blocks_shortcut_is_exact() {
    // of one length, of one length each, and of all kinds
    for lengths in [&[7, 7, 7][..], &[1], &[5, 40, 1, 17, 17, 3, 90, 41]] {
        for (arch, pool) in TEXTS.into_iter().flat_map(|arch| POOLS.map(|pool| (arch, pool))) {
            let (short, long) = (model(arch, pool), model(arch, pool));
            long.set_shortcuts(false);
            assert_same_step(&format!("{arch:?} {pool:?} {lengths:?}"), &short, &long, &texts(lengths));
        }
    }
}

#[test]
fn beginnings_in_common_are_exact() {
    let all = texts(&[9, 40, 17]);
    let begins = |text: usize, length: usize| all[text][..length].to_vec();
    // the same twice, a text that is another's beginning, beginnings that part, nothing in common
    let mut parted = begins(1, 30);
    parted[25] = (parted[25] + 1) % common::VOCABULARY;
    let texts = [begins(0, 9), begins(1, 40), begins(1, 40), begins(1, 20), parted, begins(2, 17)];
    for pool in POOLS {
        let (short, long) = (model(Arch::Gpt2, pool), model(Arch::Gpt2, pool));
        long.set_shortcuts(false);
        assert_same_step(&format!("{pool:?}"), &short, &long, &texts);

        // what comes out of a part is every text's own
        let hidden = [&short, &long].map(|model| {
            let flow = model.begin(&packed(&texts)).unwrap();
            tch::no_grad(|| model.run(0..2, flow, false)).unwrap()
        });
        assert_eq!(hidden[0].hidden.size(), [156, 32]);
        assert_eq!(hidden[0].layout.as_ref().unwrap().lengths(), [9, 40, 40, 20, 30, 17]);
        assert!(apart(&hidden[0].hidden, &hidden[1].hidden) < 1e-5);
    }
}

#[test]
fn texts_do_not_see_each_other() {
    let _guard = tch::no_grad_guard();
    let all = texts(&[5, 40, 1, 17, 17, 3, 90, 41]);
    for (arch, pool) in TEXTS.into_iter().flat_map(|arch| POOLS.map(|pool| (arch, pool))) {
        let model = model(arch, pool);
        let together = model.forward(&packed(&all), false).unwrap();
        for (index, text) in all.iter().enumerate() {
            let alone = model.forward(&packed(std::slice::from_ref(text)), false).unwrap();
            let row = together.get(index as i64).unsqueeze(0);
            assert!(apart(&row, &alone) < 1e-5, "{arch:?} {pool:?}: text {index}");
        }
        let back: Vec<Vec<u32>> = all.iter().rev().cloned().collect();
        let turned = model.forward(&packed(&back), false).unwrap().flip([0]);
        assert!(apart(&turned, &together) < 1e-5, "{arch:?} {pool:?}: in another order");
    }
}

#[test]
fn gpt2_does_not_look_ahead_and_bert_does() {
    let _guard = tch::no_grad_guard();
    for (arch, ahead) in [(Arch::Gpt2, false), (Arch::Bert, true)] {
        let model = model(arch, Pool::Cls);
        let (mut text, first) =
            (texts(&[9]), |texts: &[Vec<u32>]| flat(&model.forward(&packed(texts), false).unwrap()));
        let before = first(&text);
        text[0][8] = (text[0][8] + 1) % common::VOCABULARY;
        assert_eq!(first(&text) != before, ahead, "{arch:?}");
    }
}

/// The first block of a GPT-2 or BERT with every text padded to 120 tokens on the right and every key that is padding
/// masked, by tch alone: what the model computes packed.
mod padded {
    use super::{Arch, Kind, Model, Tensor};

    pub const LENGTH: i64 = 120;

    fn of(model: &Model, name: &str) -> Tensor {
        model.store.get(name).unwrap_or_else(|| panic!("{name}")).tensor.shallow_clone()
    }

    fn linear(model: &Model, x: &Tensor, name: &str) -> Tensor {
        let (weight, bias) = (of(model, &format!("{name}.weight")), of(model, &format!("{name}.bias")));
        // Conv1D lies the other way round
        let weight = if name.contains(".c_") { weight.transpose(0, 1) } else { weight };
        x.linear(&weight, Some(&bias))
    }

    fn norm(model: &Model, x: &Tensor, name: &str, eps: f64) -> Tensor {
        let (weight, bias) = (of(model, &format!("{name}.weight")), of(model, &format!("{name}.bias")));
        x.layer_norm([32], Some(&weight), Some(&bias), eps, false)
    }

    fn attention(q: &Tensor, k: &Tensor, v: &Tensor, mask: &Tensor) -> Tensor {
        let heads = |x: &Tensor| x.view([-1, LENGTH, 4, 8]).transpose(1, 2);
        let scores = heads(q).matmul(&heads(k).transpose(2, 3)) / 8_f64.sqrt() + mask;
        scores.softmax(-1, Kind::Float).matmul(&heads(v)).transpose(1, 2).reshape([-1, LENGTH, 32])
    }

    /// Logits of the model on padded texts, the last real token read.
    pub fn logits(model: &Model, texts: &[Vec<u32>]) -> Tensor {
        let mut ids = Vec::new();
        for text in texts {
            ids.extend(text.iter().map(|&id| i64::from(id)));
            ids.resize(ids.len() + LENGTH as usize - text.len(), 0);
        }
        let ids = Tensor::from_slice(&ids).view([-1, LENGTH]);
        let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
        let lengths = Tensor::from_slice(&lengths);
        let at = Tensor::arange(LENGTH, (Kind::Int64, tch::Device::Cpu));
        let padding = at.unsqueeze(0).ge_tensor(&lengths.unsqueeze(1)).view([-1, 1, 1, LENGTH]);
        let last = (&lengths - 1).view([-1, 1, 1]).expand([-1, 1, 32], false);
        let read = |x: &Tensor| x.gather(1, &last, false).squeeze_dim(1);
        if model.arch == Arch::Bert {
            let mask = padding.to_kind(Kind::Float).masked_fill(&padding, f64::NEG_INFINITY);
            return bert(model, &ids, &at, &mask, read);
        }
        let future = at.unsqueeze(0).gt_tensor(&at.unsqueeze(1));
        let hidden = padding.logical_or(&future);
        let mask = hidden.to_kind(Kind::Float).masked_fill(&hidden, f64::NEG_INFINITY);
        gpt2(model, &ids, &at, &mask, read)
    }

    fn gpt2(
        model: &Model,
        ids: &Tensor,
        at: &Tensor,
        mask: &Tensor,
        read: impl Fn(&Tensor) -> Tensor,
    ) -> Tensor {
        let mut x = Tensor::embedding(&of(model, "wte.weight"), ids, -1, false, false)
            + Tensor::embedding(&of(model, "wpe.weight"), at, -1, false, false);
        for index in 0..3 {
            let name = |rest: &str| format!("h.{index}.{rest}");
            let qkv = linear(model, &norm(model, &x, &name("ln_1"), 1e-5), &name("attn.c_attn")).chunk(3, -1);
            x = &x + linear(model, &attention(&qkv[0], &qkv[1], &qkv[2], mask), &name("attn.c_proj"));
            let wide = linear(model, &norm(model, &x, &name("ln_2"), 1e-5), &name("mlp.c_fc")).gelu("tanh");
            x = &x + linear(model, &wide, &name("mlp.c_proj"));
        }
        read(&norm(model, &x, "ln_f", 1e-5)).linear(&of(model, "score.weight"), None::<&Tensor>)
    }

    fn bert(
        model: &Model,
        ids: &Tensor,
        at: &Tensor,
        mask: &Tensor,
        read: impl Fn(&Tensor) -> Tensor,
    ) -> Tensor {
        let table = |name: &str| of(model, &format!("embeddings.{name}_embeddings.weight"));
        let mut x = Tensor::embedding(&table("word"), ids, -1, false, false)
            + Tensor::embedding(&table("position"), at, -1, false, false)
            + table("token_type").get(0);
        x = norm(model, &x, "embeddings.LayerNorm", 1e-12);
        for index in 0..3 {
            let name = |rest: &str| format!("encoder.layer.{index}.{rest}");
            let [q, k, v] = ["query", "key", "value"]
                .map(|part| linear(model, &x, &name(&format!("attention.self.{part}"))));
            let y = linear(model, &attention(&q, &k, &v, mask), &name("attention.output.dense"));
            x = norm(model, &(&x + y), &name("attention.output.LayerNorm"), 1e-12);
            let wide = linear(model, &x, &name("intermediate.dense")).gelu("none");
            x = norm(
                model,
                &(&x + linear(model, &wide, &name("output.dense"))),
                &name("output.LayerNorm"),
                1e-12,
            );
        }
        linear(model, &read(&x), "classifier")
    }
}

#[test]
fn packing_is_padding_to_120_with_a_mask() {
    let texts = texts(&[5, 40, 1, 17, 17, 3, 120, 41]);
    for arch in TEXTS {
        let (packed, padded) = (model(arch, Pool::LastToken), model(arch, Pool::LastToken));
        let (logits, grads) = step(&packed, &texts);
        let others = padded::logits(&padded, &texts);
        loss(&others).backward();
        assert!(apart(&logits, &others) < 1e-5, "{arch:?}: logits off by {}", apart(&logits, &others));
        assert!(apart(&loss(&logits), &loss(&others)) < 1e-5);
        for (name, packed) in grads {
            let padded = grad(&padded.store.get(&name).unwrap().tensor).unwrap().unwrap();
            let apart = apart(&packed, &padded);
            assert!(apart < 1e-5, "{arch:?}: gradient of {name} off by {apart}");
        }
    }
}

#[test]
fn what_was_kept_goes_on_in_other_company() {
    let _guard = tch::no_grad_guard();
    let all = texts(&[5, 12, 1, 9]);
    for arch in TEXTS {
        let model = model(arch, Pool::Mean);
        let expected = model.forward(&packed(&all), false).unwrap();
        // the first two blocks, one text at a time
        let kept = all.iter().map(|text| {
            let flow = model.begin(&packed(std::slice::from_ref(text))).unwrap();
            model.run(0..3, flow, false).unwrap().hidden
        });
        let kept: Vec<Tensor> = kept.collect();
        // the others, on two of them at a time, turned round
        let two = Tensor::cat(&[&kept[3], &kept[1]], 0);
        let logits = model.run(3..5, Flow::packed(two, vec![9, 12]), false).unwrap().hidden;
        let expected = expected.index_select(0, &Tensor::from_slice(&[3_i64, 1]));
        assert!(apart(&logits, &expected) < 1e-5, "{arch:?}: {}", apart(&logits, &expected));
    }
}

#[test]
fn bf16_copies_of_frozen_weights_change_nothing_but_time() {
    let texts = texts(&[5, 40, 1, 17, 17, 3, 90, 41]);
    for arch in TEXTS {
        let (plain, kept) = (model(arch, Pool::LastToken), model(arch, Pool::LastToken));
        kept.keep_bf16_of_frozen(true);
        let exact = plain.forward(&packed(&texts), false).unwrap();
        let first = if arch == Arch::Gpt2 { "h.2.*" } else { "encoder.layer.2.*" };
        let head = format!("{}.*", plain.head);
        for model in [&plain, &kept] {
            model.train_only(&[first.to_owned(), head.clone()]).unwrap();
        }
        let bf16 =
            |model: &Model| autocast(Device::Cpu, true, || model.forward(&packed(&texts), true)).unwrap();
        let (expected, got) = (bf16(&plain), bf16(&kept));
        let noise = apart(&expected, &exact);
        assert!(
            noise > 0.0 && apart(&got, &exact) < 2.0 * noise,
            "{arch:?}: {} {noise}",
            apart(&got, &exact)
        );
        // with gradients, through what is frozen too
        loss(&got).backward();
        assert!(kept.trainable().all(|p| grad(&p.tensor).unwrap().is_some()));

        // not without autocast
        assert_eq!(
            kept.forward(&packed(&texts), false).unwrap(),
            plain.forward(&packed(&texts), false).unwrap()
        );

        // dropped with the weight
        let name =
            if arch == Arch::Gpt2 { "h.0.mlp.c_fc.weight" } else { "encoder.layer.0.output.dense.weight" };
        for model in [&plain, &kept] {
            let _ = tch::no_grad(|| model.store.get(name).unwrap().tensor.shallow_clone().f_neg_()).unwrap();
        }
        let (expected, got, stale) = (bf16(&plain), bf16(&kept), got);
        assert!(apart(&got, &expected) < 3.0 * noise, "{arch:?}: {}", apart(&got, &expected));
        assert!(apart(&got, &stale) > 10.0 * noise, "{arch:?}: the changed weight was not used");
    }
}

#[test]
fn frozen_beginnings_let_gradients_through() {
    // what is trained lies before what is frozen: an embedding, say
    let texts = texts(&[5, 12]);
    for (arch, first) in [(Arch::Gpt2, "wpe.weight"), (Arch::Bert, "embeddings.position_embeddings.weight")] {
        let (plain, kept) = (model(arch, Pool::LastToken), model(arch, Pool::LastToken));
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
    let model = model(Arch::Gpt2, Pool::LastToken);
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
        let model = model(arch, Pool::LastToken);
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
    let error = model(Arch::Bert, Pool::Cls).next_tokens(tokens, false).unwrap_err();
    assert_eq!(error.to_string(), "the architecture has no language-model head");
}

#[test]
fn dropout_drops_in_training_only() {
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
        let model = model(arch, Pool::Mean);
        let again = Spec { config: model.config(), pool: model.pool(), ..Spec::new(arch, 10) };
        let again = Model::build(&again, 1, Device::Cpu).unwrap();
        assert_eq!(again.config(), model.config());
        assert!(again.parts().iter().all(|part| !part.noisy), "the rates are in the config");
    }
    assert_eq!(common::model(Arch::Resnet18).config(), None);
    assert_eq!(common::model(Arch::Resnet18).vocab_size(), None);
}
