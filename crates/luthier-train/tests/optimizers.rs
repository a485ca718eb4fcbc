//! Update rules and clipping against `torch.optim` (fixtures/optimizers.py made the numbers).

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_plan::{GroupPlan, Role, TensorPlan};
use luthier_recipe::Optim;
use luthier_torch::MemoryFormat;
use luthier_train::Optimizer;
use tch::{Device, Kind, Tensor};

const SHAPE: [i64; 2] = [3, 5];

fn parameter() -> Tensor {
    Tensor::linspace(-1, 1, 15, (Kind::Float, Device::Cpu)).reshape(SHAPE).detach().set_requires_grad(true)
}

fn optimizer(optim: &Optim, parameter: &Tensor) -> Optimizer {
    let plan = TensorPlan {
        name: "w".into(),
        shape: SHAPE.to_vec(),
        dtype: "float32".into(),
        role: Role::Weight,
        part: 0,
        trainable: true,
        group: Some(0),
    };
    let group = GroupPlan {
        name: "(all others)".into(),
        lr: optim.lr,
        weight_decay: optim.weight_decay,
        tensors: 1,
        scalars: 15,
    };
    Optimizer::new(
        &optim.rule,
        &[group],
        &[plan],
        &[],
        &[parameter.shallow_clone()],
        MemoryFormat::Contiguous,
        false,
    )
    .unwrap()
}

fn update(optimizer: &mut Optimizer, weight: &Tensor, step: u64) {
    optimizer.clear_grads().unwrap();
    let flat = Tensor::arange(15, (Kind::Double, Device::Cpu)) * 0.7 + step as f64;
    let target = flat.sin().to_kind(Kind::Float).reshape(SHAPE);
    (weight - target).square().sum(Kind::Float).backward();
    let norm = optimizer.grad_norm().unwrap();
    optimizer.clip(norm, 3.0).unwrap();
    optimizer.step(1.0).unwrap();
}

fn values(weight: &Tensor) -> Vec<f32> {
    Vec::try_from(weight.detach().reshape([-1])).unwrap()
}

#[test]
fn ten_updates_of_every_rule_equal_torch() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("fixtures/optimizers.json")).unwrap();
    for row in fixture["rules"].as_array().unwrap() {
        let table = row["table"].as_str().unwrap();
        let optim: Optim = toml::from_str(&format!("{table}\nlr = {}", fixture["lr"])).unwrap();
        let weight = parameter();
        let mut optimizer = optimizer(&optim, &weight);
        for step in 0..fixture["steps"].as_u64().unwrap() {
            update(&mut optimizer, &weight, step);
        }
        let theirs = row["weights"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32);
        for (index, (ours, theirs)) in values(&weight).into_iter().zip(theirs).enumerate() {
            assert!((ours - theirs).abs() < 2e-6, "{table}\nweight {index}: {ours} here, {theirs} there");
        }
    }
}

#[test]
fn a_restored_optimizer_goes_on_to_the_last_bit() {
    for table in [
        "type = \"SGD\"\nmomentum = 0.9",
        "type = \"AdamW\"\nweight_decay = 0.1",
        "type = \"RMSprop\"\nmomentum = 0.5\ncentered = true",
    ] {
        let optim: Optim = toml::from_str(&format!("{table}\nlr = 0.05")).unwrap();
        let whole = parameter();
        let mut one = optimizer(&optim, &whole);
        (0..4).for_each(|step| update(&mut one, &whole, step));
        let kept: Vec<(String, Tensor)> =
            one.state().unwrap().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
        let resumed = whole.detach().copy().set_requires_grad(true);
        (4..8).for_each(|step| update(&mut one, &whole, step));

        let mut two = optimizer(&optim, &resumed);
        two.restore(4, |name| Ok(kept.iter().find(|(of, _)| of == name).unwrap().1.copy())).unwrap();
        (4..8).for_each(|step| update(&mut two, &resumed, step));
        assert_eq!(values(&whole), values(&resumed), "{table}");
    }
}
