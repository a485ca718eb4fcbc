//! Seconds of a ResNet-18 training step, batch 32 at 224 px, in fp32 and with channels_last and bf16:
//! `cargo run --release -p luthier-model --example step_time`
#![allow(clippy::print_stdout, reason = "an example talks on stdout")]

use std::time::Instant;

use luthier_model::{Input, Model, ModelError};
use luthier_recipe::Arch;
use luthier_torch::{
    FlatBuffer, MemoryFormat, SgdStep, autocast, bf16_is_fast, fused_sgd, set_threads, threads,
};
use tch::{Device, Kind, Tensor};

const BATCH: i64 = 32;
const STEPS: usize = 6;

fn main() -> Result<(), ModelError> {
    set_threads(2)?;
    println!("{} threads, bf16 is fast here: {}", threads(), bf16_is_fast(Device::Cpu));
    let plain = median(MemoryFormat::Contiguous, false)?;
    println!("fp32, contiguous       {plain:.3} s");
    let fast = median(MemoryFormat::ChannelsLast, true)?;
    println!("bf16, channels_last    {fast:.3} s   {:.2} times as fast", plain / fast);
    Ok(())
}

/// Forward, backward and an update with momentum; the first step, which warms up, is left out.
fn median(format: MemoryFormat, bf16: bool) -> Result<f64, ModelError> {
    let model = Model::new(Arch::Resnet18, 10, None, 1, Device::Cpu)?;
    let params: Vec<Tensor> = model.trainable().map(|entry| entry.tensor.shallow_clone()).collect();
    let buffer = FlatBuffer::new(&params, format)?;
    let momentum = buffer.views(&buffer.data().f_zeros_like()?)?;
    let x = format.apply(&Tensor::f_randn([BATCH, 3, 224, 224], (Kind::Float, Device::Cpu))?)?;
    let x = Input::Pictures(x);
    let labels = Tensor::f_randint(10, [BATCH], (Kind::Int64, Device::Cpu))?;

    let mut seconds = Vec::new();
    for step in 0..=STEPS {
        let first = step == 0;
        let start = Instant::now();
        let logits = autocast(Device::Cpu, bf16, || model.forward(&x, true))?;
        logits.cross_entropy_for_logits(&labels).f_backward()?;
        let grads: Vec<Tensor> = buffer.grads()?.into_iter().flatten().collect();
        let step =
            SgdStep { lr: 0.01, momentum: 0.9, dampening: 0.0, nesterov: false, weight_decay: 0.0, first };
        fused_sgd(buffer.params(), &grads, Some(&momentum), step)?;
        buffer.clear_grads()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let mut seconds = seconds.split_off(1);
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[STEPS / 2])
}
