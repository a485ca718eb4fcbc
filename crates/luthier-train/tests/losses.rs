//! Cross-entropy against `torch.nn.CrossEntropyLoss` (fixtures/losses.py made the numbers): value and gradient.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_recipe::{ClassWeights, Loss, LossInput, Reduction};
use luthier_train::HeadLoss;
use tch::{Device, Kind, Tensor};

const LABELS: [i64; 5] = [0, 3, 1, 1, 2];

fn logits() -> Tensor {
    ((Tensor::arange(20, (Kind::Float, Device::Cpu)) * 1.3).sin() * 3.0)
        .reshape([5, 4])
        .detach()
        .set_requires_grad(true)
}

fn cross_entropy(label_smoothing: f64) -> Loss {
    Loss::CrossEntropy {
        label_smoothing,
        class_weights: ClassWeights::default(),
        input: LossInput::Logits,
        reduction: Reduction::Mean,
    }
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
        let objective = HeadLoss::new(&cross_entropy(label_smoothing), &weights, 4, 4, Device::Cpu);
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
    let objective = HeadLoss::new(&cross_entropy(0.1), &[0.5, 2.0, 1.0, 4.0], 4, 4, Device::Cpu);
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

const SIDES: [i64; 5] = [0, 1, 1, 0, 1];

/// What is asked of a loss: how it is built, what the outputs go through, what they are compared with.
struct Case {
    loss: Loss,
    weights: Vec<f64>,
    classes: usize,
    columns: i64,
    before: fn(&Tensor) -> Tensor,
    truth: Tensor,
}

fn case(name: &str) -> Case {
    let reduction = Reduction::Mean;
    let bce = |input| Loss::Bce { class_weights: ClassWeights::default(), input, reduction };
    let labels = || Tensor::from_slice(&LABELS);
    let sides = || Tensor::from_slice(&SIDES);
    let targets = || Tensor::arange(20, (Kind::Float, Device::Cpu)).cos().reshape([5, 4]);
    let (loss, classes, columns, truth): (Loss, usize, i64, Tensor) = match name {
        "cross_entropy probabilities" => {
            let (class_weights, input) = (ClassWeights::default(), LossInput::Probabilities);
            (Loss::CrossEntropy { label_smoothing: 0.0, class_weights, input, reduction }, 4, 4, labels())
        }
        "bce logits one-hot" | "bce weights" => (bce(LossInput::Logits), 4, 4, labels()),
        "bce logits one" => (bce(LossInput::Logits), 2, 1, sides()),
        "bce probabilities one-hot" => (bce(LossInput::Probabilities), 4, 4, labels()),
        "mse one-hot" => (Loss::Mse { reduction }, 4, 4, labels()),
        "mse targets" => (Loss::Mse { reduction }, 0, 4, targets()),
        "mae targets" => (Loss::Mae { reduction }, 0, 4, targets()),
        "smooth_l1 targets" => (Loss::SmoothL1 { beta: 0.5, reduction }, 0, 4, targets()),
        "hinge one" => (Loss::Hinge { reduction }, 2, 1, sides()),
        "hinge several" => (Loss::Hinge { reduction }, 4, 4, labels()),
        other => panic!("no case `{other}`"),
    };
    let before: fn(&Tensor) -> Tensor = match name {
        "cross_entropy probabilities" => |x| x.softmax(1, Kind::Float),
        "bce probabilities one-hot" => Tensor::sigmoid,
        _ => Tensor::shallow_clone,
    };
    let weights = if name == "bce weights" { vec![0.5, 2.0, 1.0, 4.0] } else { Vec::new() };
    Case { loss, weights, classes, columns, before, truth }
}

#[test]
fn every_loss_is_torchs() {
    let rows: serde_json::Value = serde_json::from_str(include_str!("fixtures/all_losses.json")).unwrap();
    for row in rows.as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        let Case { loss, weights, classes, columns, before, truth } = case(name);
        let objective = HeadLoss::new(&loss, &weights, classes, columns, Device::Cpu);
        let raw = logits().detach().narrow(1, 0, columns).contiguous().set_requires_grad(true);
        let sum = objective.sum(&before(&raw), &truth).unwrap();
        let mean = objective.for_gradient(&sum, objective.denominator(&LABELS)).unwrap();
        let (ours, theirs) = (mean.double_value(&[]), row["loss"].as_f64().unwrap());
        assert!((ours - theirs).abs() < 1e-6 * theirs.abs().max(1.0), "{name}: {ours} {theirs}");
        mean.backward();
        let grad: Vec<f32> = Vec::try_from(raw.grad().reshape([-1])).unwrap();
        assert_eq!(grad.len(), row["grad"].as_array().unwrap().len(), "{name}");
        for (ours, theirs) in grad.iter().zip(floats(&row["grad"])) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-6, "{name}: {ours} {theirs}");
        }
    }
}

#[test]
fn probabilities_at_the_end_of_the_logarithm_cost_much_and_not_infinitely_much() {
    for name in ["cross_entropy probabilities", "bce probabilities one-hot"] {
        let Case { loss, classes, columns, truth, .. } = case(name);
        let objective = HeadLoss::new(&loss, &[], classes, columns, Device::Cpu);
        for wrong in [0.0, 1.0, -3.0, 7.0] {
            let outputs = Tensor::full([5, 4], wrong, (Kind::Float, Device::Cpu));
            let sum = objective.sum(&outputs, &truth).unwrap().double_value(&[]);
            assert!(sum.is_finite() && sum >= 0.0, "{name} of {wrong}: {sum}");
        }
    }
}

#[test]
fn the_sum_is_not_divided() {
    let loss = Loss::Mse { reduction: Reduction::Sum };
    let objective = HeadLoss::new(&loss, &[], 4, 4, Device::Cpu);
    let sum = objective.sum(&logits(), &Tensor::from_slice(&LABELS)).unwrap();
    let whole = objective.for_gradient(&sum, objective.denominator(&LABELS)).unwrap();
    assert_eq!(whole.double_value(&[]), sum.double_value(&[]));
    assert_eq!(objective.denominator(&LABELS), 20.0);
}

#[test]
fn one_output_tells_two_classes_apart() {
    let outputs = Tensor::from_slice(&[-2.0f32, 0.2, 0.7, 3.0]).reshape([4, 1]);
    for (name, guesses) in [("bce logits one", [0i64, 1, 1, 1]), ("hinge one", [0, 1, 1, 1])] {
        let objective = HeadLoss::new(&case(name).loss, &[], 2, 1, Device::Cpu);
        assert_eq!(Vec::<i64>::try_from(&objective.guesses(&outputs).unwrap()).unwrap(), guesses, "{name}");
        let p = objective.probabilities(&outputs).unwrap();
        assert_eq!(p.size(), [4, 2]);
        assert!((p.get(1).get(1).double_value(&[]) - 1.0 / (1.0 + (-0.2f64).exp())).abs() < 1e-6);
    }
    let objective = HeadLoss::new(&Loss::Mse { reduction: Reduction::Mean }, &[], 2, 1, Device::Cpu);
    assert_eq!(Vec::<i64>::try_from(&objective.guesses(&outputs).unwrap()).unwrap(), [0, 0, 1, 1]);
    assert_eq!(objective.right(&outputs, &Tensor::from_slice(&[0i64, 1, 1, 1])).unwrap(), 3);
}
