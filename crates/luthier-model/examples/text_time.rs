//! Where the time of GPT-2 small goes when its last block is trained; random weights, two threads:
//! `cargo run --release -p luthier-model --example text_time [FILE]`
//!
//! FILE has the token ids of a text in each line; without it, 1,494 texts are made up. The engine runs with
//! `GLIBC_TUNABLES` set (`crates/luthier/src/engine.rs`): set it here, too.
#![allow(clippy::print_stdout, reason = "an example talks on stdout")]

use std::time::Instant;

use luthier_model::{Flow, Input, Model, ModelError, Spec, Tokens};
use luthier_recipe::Arch;
use luthier_torch::{FlatBuffer, MemoryFormat, autocast, set_threads};
use tch::{Device, Kind, Tensor};

const BLOCKS: usize = 12;

fn main() -> Result<(), ModelError> {
    set_threads(2)?;
    let texts = texts();
    let total: usize = texts.iter().map(Vec::len).sum();
    println!("{} texts, {total} tokens", texts.len());
    let start = Instant::now();
    let spec = Spec { dropout: Some(0.0), ..Spec::new(Arch::Gpt2, 2) };
    let model = Model::build(&spec, 1, Device::Cpu)?;
    println!("random weights in {:.2} s", start.elapsed().as_secs_f64());
    model.train_only(&["h.11.*".to_owned(), "ln_f.*".to_owned(), "score.*".to_owned()])?;

    for (bf16, kept) in [(true, false), (true, true), (false, false)] {
        model.keep_bf16_of_frozen(kept);
        for size in [512, 1024, 2048, 4096] {
            let mut by_length = texts.clone();
            by_length.sort_by_key(Vec::len);
            model.set_shortcuts(false);
            let plain = frozen_blocks(&model, &by_length, size, bf16)?;
            model.set_shortcuts(true);
            let mut by_word = texts.clone();
            by_word.sort();
            let shared = frozen_blocks(&model, &by_word, size, bf16)?;
            println!(
                "frozen blocks, {}{}, batches of {size:4}: {plain:5.0} tokens/s by length, {shared:5.0} in alphabetical \
                 order with beginnings computed once",
                kind(bf16),
                if kept { ", copies kept" } else { "" }
            );
        }
    }
    let params: Vec<Tensor> = model.trainable().map(|entry| entry.tensor.shallow_clone()).collect();
    let buffer = FlatBuffer::new(&params, MemoryFormat::Contiguous)?;
    for (bf16, shortcuts) in [(true, true), (true, false), (false, true), (false, false)] {
        model.set_shortcuts(shortcuts);
        let [forward, backward] = steps(&model, &buffer, &texts, bf16)?;
        println!(
            "the last block on 8 texts, {}, shortcut {}: forward {forward:.1} ms, backward {backward:.1} ms",
            kind(bf16),
            if shortcuts { "on " } else { "off" },
        );
    }
    Ok(())
}

fn kind(bf16: bool) -> &'static str {
    if bf16 { "bf16" } else { "fp32" }
}

/// The file's texts, or as many as the SMS spam job has, as long as its messages: many short ones, few long ones.
fn texts() -> Vec<Vec<u32>> {
    if let Some(path) = std::env::args().nth(1) {
        let file = std::fs::read_to_string(path).unwrap_or_default();
        return file.lines().map(|line| line.split(' ').filter_map(|id| id.parse().ok()).collect()).collect();
    }
    // numbers that look random, from 0 to 1
    let draw = |index: u64| f64::from((index * 2_654_435_761 % 1_000_003) as u32) / 1_000_003.0;
    let text = |index: u64| {
        let length = (6.0 + 70.0 * draw(index).powf(1.5)).round() as u64;
        (0..length).map(|at| (draw(index * 1000 + at) * 50256.0) as u32).collect()
    };
    (0..1494).map(text).collect()
}

/// Embeddings and the first eleven blocks, without gradients, on every third batch of about `size` tokens: tokens a
/// second.
fn frozen_blocks(model: &Model, texts: &[Vec<u32>], size: usize, bf16: bool) -> Result<f64, ModelError> {
    let mut batches = vec![Vec::new()];
    let mut tokens = 0;
    for text in texts {
        if tokens + text.len() > size {
            batches.push(Vec::new());
            tokens = 0;
        }
        tokens += text.len();
        if let Some(last) = batches.last_mut() {
            last.push(text.as_slice());
        }
    }
    let (mut seconds, mut seen) = (0.0, 0);
    for (round, batch) in batches.iter().step_by(3).enumerate() {
        let start = Instant::now();
        let flow = model.begin(&Input::Tokens(Tokens::pack(batch)?))?;
        let _ = autocast(Device::Cpu, bf16, || tch::no_grad(|| model.run(0..BLOCKS, flow, false)))?;
        // the first one makes copies
        if round > 0 {
            seconds += start.elapsed().as_secs_f64();
            seen += batch.iter().map(|text| text.len()).sum::<usize>();
        }
    }
    Ok(seen as f64 / seconds)
}

/// The last block and the head on what the others gave, eight texts at a time: milliseconds forward and backward.
fn steps(model: &Model, buffer: &FlatBuffer, texts: &[Vec<u32>], bf16: bool) -> Result<[f64; 2], ModelError> {
    const WARM_UP: usize = 10;
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    for texts in texts.chunks(8).take(100) {
        let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
        let hidden = Tensor::f_randn([lengths.iter().sum(), 768], (Kind::Float, Device::Cpu))?;
        let labels = Tensor::f_randint(2, [lengths.len() as i64], (Kind::Int64, Device::Cpu))?;
        buffer.clear_grads()?;
        let start = Instant::now();
        let flow = Flow::packed(hidden, lengths);
        let logits = autocast(Device::Cpu, bf16, || model.run(BLOCKS..BLOCKS + 2, flow, true))?.hidden;
        let loss = logits.cross_entropy_for_logits(&labels);
        forward.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        loss.f_backward()?;
        backward.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok([forward, backward].map(|mut times| {
        let mut times = times.split_off(WARM_UP);
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}
