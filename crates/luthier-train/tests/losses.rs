//! Cross-entropy against `torch.nn.CrossEntropyLoss` (fixtures/losses.py made the numbers): value and gradient.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_recipe::{ClassWeights, Loss};
use luthier_train::Objective;
use tch::{Device, Kind, Tensor};

const LABELS: [i64; 5] = [0, 3, 1, 1, 2];

fn logits() -> Tensor {
    ((Tensor::arange(20, (Kind::Float, Device::Cpu)) * 1.3).sin() * 3.0)
        .reshape([5, 4])
        .detach()
        .set_requires_grad(true)
}

fn floats(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn sum_over_denominator_is_torchs_mean() {
    let rows: serde_json::Value = serde_json::from_str(include_str!("fixtures/losses.json")).unwrap();
    for row in rows.as_array().unwrap() {
        let weights = floats(&row["weights"]);
        let label_smoothing = row["smoothing"].as_f64().unwrap();
        let loss = Loss::CrossEntropy { label_smoothing, class_weights: ClassWeights::default() };
        let objective = Objective::new(&loss, &weights, Device::Cpu);
        let logits = logits();
        let mean =
            objective.sum(&logits, &Tensor::from_slice(&LABELS)).unwrap() / objective.denominator(&LABELS);
        let (ours, theirs) = (mean.double_value(&[]), row["loss"].as_f64().unwrap());
        assert!((ours - theirs).abs() < 1e-6, "{row}: {ours}");
        mean.backward();
        let grad: Vec<f32> = Vec::try_from(logits.grad().reshape([-1])).unwrap();
        for (ours, theirs) in grad.iter().zip(floats(&row["grad"])) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-6, "{row}: {ours} {theirs}");
        }
    }
}

#[test]
fn shares_of_a_batch_add_up_to_the_whole_with_class_weights() {
    let loss = Loss::CrossEntropy { label_smoothing: 0.1, class_weights: ClassWeights::default() };
    let objective = Objective::new(&loss, &[0.5, 2.0, 1.0, 4.0], Device::Cpu);
    let all = logits();
    let whole = objective.sum(&all, &Tensor::from_slice(&LABELS)).unwrap().double_value(&[]);
    let mut parts = 0.0;
    let mut denominator = 0.0;
    for (start, length) in [(0, 2), (2, 2), (4, 1)] {
        let labels = &LABELS[start as usize..(start + length) as usize];
        parts += objective
            .sum(&all.narrow(0, start, length), &Tensor::from_slice(labels))
            .unwrap()
            .double_value(&[]);
        denominator += objective.denominator(labels);
    }
    assert!((parts - whole).abs() < 1e-5 && (denominator - objective.denominator(&LABELS)).abs() < 1e-12);
}
