//! What `train.monitor` costs: the same run with and without it, in turn, and how long the updates took.
//!
//!     cargo run --release -p luthier-train --example monitor_cost [ROUNDS]
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

#[path = "../tests/common/mod.rs"]
mod common;

use luthier_plan::Event;

/// Pixels, batch and epochs of 17 pictures: eleven million weights with next to no work a step, and with the usual work.
const SHAPES: [(u32, u64, u64); 3] = [(32, 1, 6), (32, 8, 35), (224, 17, 22)];

fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    for (pixels, batch, epochs) in SHAPES {
        let (mut ratios, mut looks, mut plain, mut share) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        for round in 0..rounds {
            let mut arms = [Vec::new(), Vec::new()];
            for monitor in [round % 2 == 0, round % 2 == 1] {
                arms[usize::from(monitor)] = updates(pixels, batch, epochs, monitor);
            }
            // the first update compiles kernels
            let mean = |arm: &[(f64, bool)]| {
                arm[1..].iter().map(|step| step.0).sum::<f64>() / (arm.len() - 1) as f64
            };
            ratios.push(mean(&arms[1]) / mean(&arms[0]));
            let of =
                |looked: bool| median(arms[1][1..].iter().filter(|step| step.1 == looked).map(|step| step.0));
            plain.push(of(false));
            looks.push(of(true) / of(false) - 1.0);
            share = arms[1].iter().filter(|step| step.1).count() as f64 / arms[1].len() as f64;
        }
        let (look, step) = (median(looks.into_iter()), median(plain.into_iter()));
        println!(
            "ResNet-18, {pixels} px, batch {batch}: step {:.1} ms; with / without {:.4}; a look costs {look:.3} steps: \
             {:.2} % of this short run ({:.0} % looked at), {:.2} % of a long one",
            1e3 * step,
            median(ratios.into_iter()),
            100.0 * look * share,
            100.0 * share,
            100.0 * look / 50.0
        );
    }
}

/// Seconds of each update, and whether it was looked at.
fn updates(pixels: u32, batch: u64, epochs: u64, monitor: bool) -> Vec<(f64, bool)> {
    let chain = format!(
        "[{{ op = \"Resize\", size = [{pixels}, {pixels}] }}, \
         {{ op = \"Normalize\", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }}]"
    );
    let sets = [
        format!("data.transform.train={chain}"),
        format!("data.transform.eval={chain}"),
        format!("train.batch_size={batch}"),
        format!("train.epochs={epochs}"),
        format!("train.monitor.enabled={monitor}"),
        "train.checkpoint={ every = { epochs = 1000 } }".into(),
        "model.freeze=[\"bn1.*\", \"*.bn1.*\", \"*.bn2.*\", \"*downsample.1.*\"]".into(),
        "optim.lr=1e-4".into(),
    ];
    let run = common::train(&sets.iter().map(String::as_str).collect::<Vec<_>>(), None);
    let mut steps: Vec<(f64, bool)> = Vec::new();
    for event in &run.heard {
        match event {
            Event::StepEnd(step) => steps.push((step.seconds - step.data_seconds, false)),
            Event::Monitor(_) => {
                if let Some(last) = steps.last_mut() {
                    last.1 = true;
                }
            }
            _ => {}
        }
    }
    steps
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
