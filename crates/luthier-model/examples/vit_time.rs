//! What LoRA adds to a forward pass of ViT-B/16 whose head alone is trained; random weights, 224 px, two threads:
//! `cargo run --release -p luthier-model --example vit_time [ROUNDS] [BATCH]`, 9 rounds of 8 pictures if not given.
#![allow(clippy::print_stdout, reason = "an example talks on stdout")]

use std::time::Instant;

use luthier_model::{Input, Model, ModelError};
use luthier_recipe::{Arch, Lora, LoraBias};
use luthier_torch::{autocast, set_threads};
use tch::{Device, Kind, Tensor};

/// Rounds that warm up.
const WARM: usize = 1;

fn main() -> Result<(), ModelError> {
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (rounds, batch) =
        (given.first().copied().unwrap_or(9).max(1), given.get(1).copied().unwrap_or(8).max(1));
    set_threads(2)?;
    let head = Model::new(Arch::Vit, 8, None, 1, Device::Cpu)?;
    head.train_only(&["classifier.*".to_owned()])?;
    println!("\nA forward pass for training, ViT-B/16, batch {batch}, medians of {rounds}");
    for dropout in [0.0, 0.2] {
        let mut lora = Model::new(Arch::Vit, 8, None, 1, Device::Cpu)?;
        let asked = Lora {
            r: Some(20),
            alpha: Some(20.0),
            dropout,
            target_modules: None,
            bias: LoraBias::None,
            modules_to_save: None,
            use_rslora: false,
            use_dora: false,
            adapter: None,
        };
        let plan = lora.plan_lora(&asked, None, &[])?;
        lora.add_lora(&plan, 1)?;
        for model in [&head, &lora] {
            model.keep_bf16_of_frozen(true);
        }
        for bf16 in [true, false] {
            let [mut rest, mut adapted, mut backward] = [const { Vec::new() }; 3];
            // both take turns
            for round in 0..rounds + WARM {
                let x = Tensor::f_randn([batch as i64, 3, 224, 224], (Kind::Float, Device::Cpu))?;
                let [(a, _), (b, loss)] = [forward(&head, &x, bf16)?, forward(&lora, &x, bf16)?];
                let begin = Instant::now();
                loss.f_backward()?;
                if round >= WARM {
                    rest.push(a);
                    adapted.push(b);
                    backward.push(begin.elapsed().as_secs_f64());
                }
            }
            let [rest, adapted, backward] = [rest, adapted, backward].map(median);
            println!(
                "  {}, dropout {dropout}: head alone {:.0} ms, with LoRA {:.0} ms, {:+.1} % (bar 15); backward {:.0} ms",
                if bf16 { "bf16" } else { "fp32" },
                1e3 * rest,
                1e3 * adapted,
                100.0 * (adapted / rest - 1.0),
                1e3 * backward,
            );
        }
    }
    Ok(())
}

fn forward(model: &Model, x: &Tensor, bf16: bool) -> Result<(f64, Tensor), ModelError> {
    let begin = Instant::now();
    let input = Input::Pictures(x.shallow_clone());
    let logits = autocast(Device::Cpu, bf16, || model.forward(&input, true))?;
    Ok((begin.elapsed().as_secs_f64(), logits.f_sum(Kind::Float)?))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
