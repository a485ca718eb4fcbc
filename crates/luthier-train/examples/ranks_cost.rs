//! What the exchange of gradients costs: ResNet-18 on several ranks of this machine, a thread each.
//!
//! `cargo run --release -p luthier-train --example ranks_cost [RANKS] [BATCH] [PIXELS] [UPDATES] [BUCKET_MIB]`
//!
//! Prints for rank 0 the bytes, the messages, and the medians of a step, of what it waits for after its last gradient, and
//! of what the messages took in all; what is not waited for was hidden behind the backward pass. For comparison, the same
//! step without an exchange is timed on all ranks at once.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::net::TcpListener;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use luthier_model::{Input, Model, Spec};
use luthier_torch::{Group, Reducer, Store, autocast, bf16_is_fast, clear_grad};
use tch::{Device, Kind, Tensor};

const RECIPE: &str = r#"
    name = "cost"
    task = "image-classification"
    data = { train = "x", transform = { train = [{ op = "CenterCrop", size = 8 }], eval = [{ op = "CenterCrop", size = 8 }] } }
    model = { arch = "resnet18", weights = "none" }
    optim = { type = "SGD", lr = 0.1 }
    train = { epochs = 1, batch_size = 1 }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let word = |at: usize, usual: u64| words.get(at).copied().unwrap_or(usual);
    let (ranks, batch, pixels, updates) = (word(0, 2), word(1, 32), word(2, 224), word(3, 12));
    let bucket = word(4, 25) << 20;
    match std::env::var("RANK") {
        Ok(rank) => {
            let port = std::env::var("MASTER_PORT")?.parse()?;
            measure(rank.parse()?, ranks, port, [batch as i64, pixels as i64], updates, bucket)
        }
        Err(_) => {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port().to_string();
            let start = |rank: u64| {
                Command::new(std::env::current_exe()?)
                    .args(std::env::args().skip(1))
                    .env("RANK", rank.to_string())
                    .env("MASTER_PORT", &port)
                    .spawn()
            };
            let children = (0..ranks).map(start).collect::<Result<Vec<_>, _>>()?;
            for mut child in children {
                child.wait()?;
            }
            Ok(())
        }
    }
}

fn measure(
    rank: u32,
    ranks: u64,
    port: u16,
    [batch, pixels]: [i64; 2],
    updates: u64,
    bucket: u64,
) -> Result<(), Box<dyn Error>> {
    luthier_torch::set_threads(1)?;
    let minute = Duration::from_secs(60);
    let store = Store::open("127.0.0.1", port, rank, ranks as u32, minute)?;
    let group = Rc::new(Group::join(Rc::new(store), "gloo", rank, ranks as u32, minute)?);
    let recipe = luthier_recipe::parse("cost.toml", RECIPE, &[])?.recipe;
    let model = Model::build(&Spec::of(&recipe.model, 1000, None, None), 1, Device::Cpu)?;
    model.to_channels_last()?;
    let params: Vec<Tensor> = model
        .store
        .entries()
        .iter()
        .filter(|entry| entry.tensor.requires_grad())
        .map(|entry| entry.tensor.shallow_clone())
        .collect();
    let input = Tensor::rand([batch, 3, pixels, pixels], (Kind::Float, Device::Cpu));
    let input = luthier_torch::channels_last(&input)?;
    let labels = Tensor::arange(batch, (Kind::Int64, Device::Cpu));
    let bf16 = bf16_is_fast(Device::Cpu);
    let loss = || -> Result<Tensor, Box<dyn Error>> {
        for param in &params {
            clear_grad(param)?;
        }
        let input = Input::Pictures(input.shallow_clone());
        let logits = autocast(Device::Cpu, bf16, || model.forward(&input, true))?;
        Ok(logits.to_kind(Kind::Float).cross_entropy_for_logits(&labels))
    };
    let mut alone = Vec::new();
    for _ in 0..updates {
        group.barrier()?;
        let began = Instant::now();
        loss()?.f_backward()?;
        alone.push(began.elapsed().as_secs_f64());
    }
    let reducer = Reducer::new(Rc::clone(&group), &params, bucket)?;
    let (mut steps, mut waits, mut busy, mut traffic) = (Vec::new(), Vec::new(), Vec::new(), None);
    for _ in 0..updates {
        group.barrier()?;
        let began = Instant::now();
        let told = reducer.backward(&loss()?)?;
        steps.push(began.elapsed().as_secs_f64());
        waits.push(told.waited.as_secs_f64());
        busy.push(told.busy.as_secs_f64());
        traffic = Some(told);
    }
    let (alone, step, wait, busy) = (median(alone), median(steps), median(waits), median(busy));
    if let (0, Some(traffic)) = (rank, traffic) {
        println!(
            "ranks {ranks}, batch {batch} of {pixels} px on each, bf16 {bf16}, bucket {} MiB",
            bucket >> 20
        );
        println!("bytes {} in {} messages an update", traffic.bytes, traffic.buckets);
        println!("step without exchange {:.1} ms, with {:.1} ms", alone * 1e3, step * 1e3);
        println!("messages {:.1} ms, of which {:.1} ms hidden", busy * 1e3, (busy - wait).max(0.0) * 1e3);
        println!("waited {:.1} ms: {:.1} % of the step", wait * 1e3, wait / step * 100.0);
    }
    group.barrier()?;
    Ok(())
}

fn median(mut numbers: Vec<f64>) -> f64 {
    // the first steps warm up
    numbers.drain(..numbers.len().min(2));
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
