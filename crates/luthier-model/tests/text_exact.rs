//! Text models compute the same, whichever way: packed or padded, alone or in company, by shortcuts or without.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{apart, flat, loss, packed, pooling, texts};
use luthier_model::{Flow, Model};
use luthier_recipe::{Arch, Pool};
use luthier_torch::{clear_grad, grad};
use tch::{Kind, Tensor};

const TEXTS: [Arch; 2] = [Arch::Gpt2, Arch::Bert];
const POOLS: [Pool; 3] = [Pool::LastToken, Pool::Cls, Pool::Mean];

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
            let (short, long) = (pooling(arch, pool), pooling(arch, pool));
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
        let (short, long) = (pooling(Arch::Gpt2, pool), pooling(Arch::Gpt2, pool));
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
        let model = pooling(arch, pool);
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
        let model = pooling(arch, Pool::Cls);
        let (mut text, first) =
            (texts(&[9]), |texts: &[Vec<u32>]| flat(&model.forward(&packed(texts), false).unwrap()));
        let before = first(&text);
        text[0][8] = (text[0][8] + 1) % common::VOCABULARY;
        assert_eq!(first(&text) != before, ahead, "{arch:?}");
    }
}

/// A GPT-2 or BERT with every text padded to 120 tokens on the right and every key that is padding
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
        let (packed, padded) = (pooling(arch, Pool::LastToken), pooling(arch, Pool::LastToken));
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
        let model = pooling(arch, Pool::Mean);
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
