//! A flat buffer changes where parameters and gradients lie, and nothing else.

use luthier_torch::{
    FlatBuffer, Kept, MemoryFormat, SgdStep, autocast, channels_last, fused_sgd, grad, norm, norms, scale,
    set_data, set_grad,
};
use tch::{Device, Kind, Tensor};

/// Numbers that look random and are not: the tests run side by side, and libtorch's generator is the process's.
fn numbers(shape: &[i64], seed: f64) -> Tensor {
    let count: i64 = shape.iter().product();
    let ramp = Tensor::arange(count, (Kind::Double, Device::Cpu));
    ((ramp + seed) * 12.9898).sin().to_kind(Kind::Float).reshape(shape)
}

/// A convolution, a normalisation's scale, another convolution and a linear layer, of sizes that no alignment divides.
fn parameters() -> Vec<Tensor> {
    let shapes: [&[i64]; 5] = [&[5, 3, 3, 3], &[5], &[7, 5, 1, 1], &[3, 7], &[3]];
    shapes.iter().map(|shape| (numbers(shape, 1.0) * 0.3).set_requires_grad(true)).collect()
}

fn loss(params: &[Tensor], x: &Tensor, bf16: bool) -> Tensor {
    autocast(Device::Cpu, bf16, || {
        let none: Option<Tensor> = None;
        let x = x.conv2d(&params[0], none.as_ref(), [1, 1], [1, 1], [1, 1], 1);
        let x =
            x.batch_norm(Some(&params[1]), None, None::<&Tensor>, None::<&Tensor>, true, 0.1, 1e-5, false);
        let x = x.relu().conv2d(&params[2], none.as_ref(), [1, 1], [0, 0], [1, 1], 1);
        let x = x.adaptive_avg_pool2d([1, 1]).flatten(1, -1).linear(&params[3], Some(&params[4]));
        (&x * &x).mean(Kind::Float)
    })
}

fn batches() -> [Tensor; 2] {
    [2.0, 3.0].map(|seed| numbers(&[4, 3, 9, 11], seed))
}

#[test]
fn gradients_of_two_micro_batches_add_up() {
    for format in [MemoryFormat::Contiguous, MemoryFormat::ChannelsLast] {
        for bf16 in [false, true] {
            let (plain, flat) = (parameters(), parameters());
            let buffer = FlatBuffer::new(&flat, format).unwrap();
            for x in batches() {
                let x = format.apply(&x).unwrap();
                loss(&plain, &x, bf16).backward();
                loss(&flat, &x, bf16).backward();
                assert!(buffer.is_attached().unwrap(), "{format:?} bf16 {bf16}: a parameter was moved");
            }
            let grads: Vec<Tensor> = buffer.grads().unwrap().into_iter().flatten().collect();
            assert_eq!(grads.len(), plain.len());
            let square = |one: &Tensor| f64::try_from(one.square().sum(Kind::Double)).unwrap();
            let whole = grads.iter().map(square).sum::<f64>().sqrt();
            assert!((norm(&grads).unwrap() - whole).abs() < 1e-6 * whole);
            for (index, (plain, view)) in plain.iter().zip(&grads).enumerate() {
                let expected = grad(plain).unwrap().unwrap();
                let scale = f64::try_from(expected.abs().max()).unwrap();
                let apart = f64::try_from((&expected - view).abs().max()).unwrap();
                // bf16: another layout of the weights takes another kernel, with its own rounding
                let tolerance = if bf16 { 2e-2 } else { 1e-5 };
                assert!(scale > 0.0, "{format:?} bf16 {bf16}: parameter {index} has no gradient");
                assert!(
                    apart <= tolerance * scale,
                    "{format:?} bf16 {bf16}: parameter {index} off by {apart} of {scale}"
                );
            }
            scale(&grads, 0.5).unwrap();
            assert!((norm(&grads).unwrap() - 0.5 * whole).abs() < 1e-6 * whole);
            buffer.clear_grads().unwrap();
            assert!(buffer.grads().unwrap().iter().all(Option::is_none));
        }
    }
}

#[test]
fn values_stay_and_one_write_moves_all_handles() {
    let (plain, flat) = (parameters(), parameters());
    let handle = flat[2].shallow_clone();
    let buffer = FlatBuffer::new(&flat, MemoryFormat::ChannelsLast).unwrap();
    for (plain, flat) in plain.iter().zip(&flat) {
        assert_eq!(plain, flat);
        assert!(flat.requires_grad() && flat.is_leaf());
    }
    assert_eq!(flat[0].stride(), [27, 1, 9, 3], "channels lie side by side");
    assert!(buffer.slots().iter().all(|slot| slot.offset % 16 == 0), "every parameter starts a cache line");
    let sum: f64 = plain.iter().map(|plain| f64::try_from(plain.square().sum(Kind::Double)).unwrap()).sum();
    let norm = f64::try_from(buffer.data().square().sum(Kind::Double)).unwrap();
    assert!((sum - norm).abs() < 1e-9 * sum, "the gaps count for nothing");

    let _ = buffer.data().shallow_clone().fill_(0.25);
    assert_eq!(f64::try_from(handle.min()).unwrap(), 0.25);
    assert_eq!(f64::try_from(flat[2].max()).unwrap(), 0.25);
}

#[test]
fn a_parameter_that_was_moved_is_noticed() {
    let params = parameters();
    let buffer = FlatBuffer::new(&params, MemoryFormat::Contiguous).unwrap();
    assert!(buffer.is_attached().unwrap());
    set_data(&params[1], &Tensor::zeros([5], (Kind::Float, Device::Cpu))).unwrap();
    assert!(!buffer.is_attached().unwrap());
}

#[test]
fn lists_of_unequal_lengths_are_refused() {
    let two = [numbers(&[2], 0.0), numbers(&[3], 0.0)];
    let step =
        SgdStep { lr: 0.1, momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay: 0.0, first: true };
    let error = fused_sgd(&two, &two[..1], None, step).unwrap_err();
    assert!(error.to_string().contains("[2, 1, 2]"), "{error}");
}

#[test]
fn what_cannot_be_flat_is_named() {
    let leaf = || Tensor::zeros([2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let twice = leaf();
    let cases = [
        (
            vec![leaf(), Tensor::zeros([2], (Kind::Int64, Device::Cpu))],
            "parameter 1",
            "counters have no gradient",
        ),
        (vec![Tensor::zeros([2], (Kind::Float, Device::Cpu))], "parameter 0", "frozen"),
        (vec![leaf() * 2.0], "parameter 0", "no leaf"),
        (vec![twice.shallow_clone(), twice], "parameter 1", "one parameter, two places"),
    ];
    for (params, named, reason) in cases {
        let error = FlatBuffer::new(&params, MemoryFormat::Contiguous).unwrap_err();
        assert!(error.to_string().starts_with(named), "{reason}: {error}");
    }
    assert_eq!(
        FlatBuffer::new(&[], MemoryFormat::Contiguous).unwrap().data().numel(),
        0,
        "an empty group is one"
    );
}

#[test]
fn a_gradient_must_fit() {
    let variable = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    for bad in [
        Tensor::zeros([3, 2], (Kind::Float, Device::Cpu)),
        Tensor::zeros([2, 3], (Kind::Double, Device::Cpu)),
    ] {
        assert!(set_grad(&variable, &bad).is_err());
        assert!(grad(&variable).unwrap().is_none());
    }
}

#[test]
fn channels_last_moves_memory_only() {
    let x = numbers(&[2, 3, 4, 5], 4.0);
    let y = channels_last(&x).unwrap();
    assert_eq!(x, y);
    assert_eq!(y.stride(), MemoryFormat::ChannelsLast.strides(&[2, 3, 4, 5]));
    assert_eq!(channels_last(&y).unwrap().data_ptr(), y.data_ptr(), "what lies so already is not copied");
    let row = numbers(&[2, 3], 5.0);
    assert_eq!(channels_last(&row).unwrap().data_ptr(), row.data_ptr());
}

#[test]
fn norms_of_a_look_are_those_of_each_tensor() {
    // one tensor is long enough for several threads, and none is a whole number of blocks
    let shapes: [&[i64]; 4] = [&[5, 3, 3, 3], &[7], &[301, 517], &[1]];
    let params: Vec<Tensor> =
        shapes.iter().map(|shape| (numbers(shape, 1.0) * 0.3).set_requires_grad(true)).collect();
    let close = |found: &[f64], wanted: &[Tensor]| {
        for (found, wanted) in found.iter().zip(wanted) {
            let wanted = wanted.to_kind(Kind::Double).norm().double_value(&[]);
            assert!((found - wanted).abs() <= 1e-6 * wanted, "{found}, not {wanted}");
        }
        assert_eq!(found.len(), wanted.len());
    };
    for format in [MemoryFormat::Contiguous, MemoryFormat::ChannelsLast] {
        let buffer = FlatBuffer::new(&params, format).unwrap();
        let before: Vec<Tensor> = params.iter().map(|param| param.detach().copy()).collect();
        let kept = Kept::of(&buffer).unwrap();
        close(kept.norms(), &before);
        assert_eq!(kept.changes(&buffer).unwrap(), [0.0; 4]);
        tch::no_grad(|| {
            for (index, param) in params.iter().enumerate() {
                let _ = param.shallow_clone().g_add_(&(numbers(shapes[index], 7.0) * 1e-3));
            }
        });
        let changed: Vec<Tensor> =
            params.iter().zip(&before).map(|(now, then)| now.detach() - then).collect();
        close(&kept.changes(&buffer).unwrap(), &changed);
        close(&norms(&changed).unwrap(), &changed);
        // strides and other kinds are libtorch's to read
        let odd = [numbers(&[9, 4], 2.0).slice(1, 0, 4, 2), numbers(&[3], 2.0).to_kind(Kind::Double)];
        close(&norms(&odd).unwrap(), &odd);
        let nan = Tensor::from_slice(&[1.0f32, f32::NAN, 2.0]);
        assert!(norms(&[nan]).unwrap()[0].is_nan());
    }
    let other =
        FlatBuffer::new(&[numbers(&[40], 1.0).set_requires_grad(true)], MemoryFormat::Contiguous).unwrap();
    let kept = Kept::of(&other).unwrap();
    assert!(kept.changes(&FlatBuffer::new(&params, MemoryFormat::Contiguous).unwrap()).is_err());
}
