//! LAMB and LARS against their papers (fixtures/layerwise.py made the numbers, and held its own against timm's).

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_plan::{GroupPlan, Role, TensorPlan};
use luthier_recipe::Optim;
use luthier_torch::MemoryFormat;
use luthier_train::Optimizer;
use tch::{Device, Kind, Tensor};

const ROLES: [Role; 5] = [Role::Weight, Role::Bias, Role::Norm, Role::Weight, Role::Weight];

fn tensors() -> Vec<Tensor> {
    let options = (Kind::Float, Device::Cpu);
    let values = [
        Tensor::linspace(-1, 1, 15, options).reshape([3, 5]),
        Tensor::linspace(0.1, 0.3, 3, options),
        Tensor::ones([5], options),
        Tensor::zeros([2, 2], options),
        Tensor::linspace(1, 2, 4, options),
    ];
    values.into_iter().map(|value| value.detach().copy().set_requires_grad(true)).collect()
}

/// Tensors and the optimizer of a recipe's table over them, in groups with and without decay as the plan makes them.
fn optimizer(table: &str) -> (Vec<Tensor>, Optimizer) {
    let optim: Optim = toml::from_str(table).unwrap();
    let tensors = tensors();
    let plan = |(at, (tensor, role)): (usize, (&Tensor, &Role))| TensorPlan {
        name: format!("t{at}"),
        shape: tensor.size(),
        dtype: "float32".into(),
        role: *role,
        part: 0,
        trainable: true,
        group: None,
    };
    let mut plans: Vec<TensorPlan> = tensors.iter().zip(&ROLES).enumerate().map(plan).collect();
    let groups: Vec<GroupPlan> = luthier_plan::groups::assign(&optim, &["all".into()], &mut plans).unwrap();
    let optimizer =
        Optimizer::new(&optim.rule, &groups, &plans, &[], &tensors, MemoryFormat::Contiguous, false).unwrap();
    (tensors, optimizer)
}

fn update(optimizer: &mut Optimizer, tensors: &[Tensor], step: u64, factor: f64) {
    optimizer.clear_grads().unwrap();
    let mut loss = Tensor::zeros([], (Kind::Float, Device::Cpu));
    for (at, tensor) in tensors.iter().enumerate() {
        let flat = Tensor::arange(tensor.numel() as i64, (Kind::Double, Device::Cpu)) * 0.7;
        let target = (flat + (step as f64 + at as f64)).sin().to_kind(Kind::Float).reshape(tensor.size());
        let weight = if at == 4 { 0.0 } else { 1.0 };
        loss += (tensor - target).square().sum(Kind::Float) * weight;
    }
    loss.backward();
    let norm = optimizer.grad_norm().unwrap();
    optimizer.clip(norm, 3.0).unwrap();
    optimizer.step(factor).unwrap();
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.detach().to_kind(Kind::Double).reshape([-1])).unwrap()
}

#[test]
fn ten_updates_equal_the_papers() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("fixtures/layerwise.json")).unwrap();
    for row in fixture["rows"].as_array().unwrap() {
        let (table, changing) = (row["table"].as_str().unwrap(), row["changing"].as_bool().unwrap());
        let (tensors, mut optimizer) = optimizer(&format!("{table}\nlr = {}", fixture["lr"]));
        for step in 0..fixture["steps"].as_u64().unwrap() {
            let factor = if changing { 1.0 + (step % 3) as f64 } else { 1.0 };
            update(&mut optimizer, &tensors, step, factor);
        }
        for (at, (ours, theirs)) in tensors.iter().zip(row["values"].as_array().unwrap()).enumerate() {
            for (ours, theirs) in floats(ours).into_iter().zip(theirs.as_array().unwrap()) {
                let theirs = theirs.as_f64().unwrap();
                assert!((ours - theirs).abs() < 1e-5, "{table}\ntensor {at}: {ours} here, {theirs} there");
            }
        }
        let trust = optimizer.trust_ratios().unwrap();
        for (at, theirs) in row["trust"].as_array().unwrap().iter().enumerate() {
            let theirs = theirs.as_f64().unwrap();
            let ours = trust.get(format!("t{at}").as_str()).copied().unwrap_or(1.0);
            assert!(
                (ours - theirs).abs() < 1e-4 * theirs,
                "{table}\nratio {at}: {ours} here, {theirs} there"
            );
        }
    }
}

#[test]
fn what_is_spared_has_no_trust_ratio_and_norms_of_zero_are_safe() {
    for table in ["type = \"LAMB\"\nlr = 0.05", "type = \"LARS\"\nlr = 0.05\ntrust_coefficient = 0.2"] {
        let (tensors, mut optimizer) = optimizer(table);
        update(&mut optimizer, &tensors, 0, 1.0);
        let trust = optimizer.trust_ratios().unwrap();
        let known = [0, 1, 2, 3, 4].map(|at| trust.get(format!("t{at}").as_str()).copied());
        assert_eq!(known.map(|ratio| ratio.is_some()), [true, false, false, true, true], "{table}");
        // the one of zeros and the one without gradient
        assert_eq!(known[3..], [Some(1.0), Some(1.0)], "{table}");
        assert!(tensors.iter().flat_map(floats).all(f64::is_finite), "{table}");
        assert!(floats(&tensors[3]).iter().any(|value| *value != 0.0), "{table}: zeros never start to move");
        assert_eq!(floats(&tensors[4]), floats(&self::tensors()[4]), "{table}");
    }
}

#[test]
fn a_restored_optimizer_goes_on_to_the_last_bit() {
    for table in
        ["type = \"LAMB\"\nlr = 0.05\nweight_decay = 0.1", "type = \"LARS\"\nlr = 1.0\nweight_decay = 0.1"]
    {
        let (whole, mut one) = optimizer(table);
        (0..4).for_each(|step| update(&mut one, &whole, step, 1.0));
        let kept: Vec<(String, Tensor)> =
            one.state().unwrap().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
        let (resumed, mut two) = optimizer(table);
        tch::no_grad(|| resumed.iter().zip(&whole).for_each(|(to, from)| to.shallow_clone().copy_(from)));
        (4..8).for_each(|step| update(&mut one, &whole, step, 1.0));
        two.restore(4, |name| Ok(kept.iter().find(|(of, _)| of == name).unwrap().1.copy())).unwrap();
        (4..8).for_each(|step| update(&mut two, &resumed, step, 1.0));
        let all = |tensors: &[Tensor]| tensors.iter().flat_map(floats).collect::<Vec<_>>();
        assert_eq!(all(&whole), all(&resumed), "{table}");
    }
}

#[test]
fn clipping_cannot_shorten_a_step_of_lamb() {
    let lengths: Vec<f64> = [1.0, 1e-3]
        .map(|scale| {
            let (tensors, mut optimizer) = optimizer("type = \"LAMB\"\nlr = 0.05\neps = 1e-12");
            tensors[0].square().sum(Kind::Float).backward();
            luthier_torch::scale(&[luthier_torch::grad(&tensors[0]).unwrap().unwrap()], scale).unwrap();
            optimizer.step(1.0).unwrap();
            (&tensors[0] - &self::tensors()[0]).norm().double_value(&[])
        })
        .to_vec();
    assert!((lengths[0] / lengths[1] - 1.0).abs() < 1e-4, "{lengths:?}");
}
