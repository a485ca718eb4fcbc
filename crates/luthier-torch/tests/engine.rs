//! Autocast, devices, threads, errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use luthier_torch::{
    Half, TorchError, autocast, autocast_format, autocast_to, bf16_is_fast, loop_threads, manual_seed,
    parse_device, set_interop_threads, set_threads, threads,
};
use tch::{Device, Kind, Tensor};

fn product_kind() -> Kind {
    let x = Tensor::ones([4, 4], (Kind::Float, Device::Cpu));
    x.matmul(&x).kind()
}

#[test]
fn autocast_nests_and_survives_panics() {
    assert_eq!(product_kind(), Kind::Float);
    let kinds = autocast(Device::Cpu, true, || {
        let inner = autocast(Device::Cpu, false, product_kind);
        (product_kind(), inner, product_kind())
    });
    assert_eq!(kinds, (Kind::BFloat16, Kind::Float, Kind::BFloat16));
    assert_eq!(product_kind(), Kind::Float);

    let caught = catch_unwind(AssertUnwindSafe(|| {
        autocast(Device::Cpu, true, || autocast(Device::Cpu, false, || panic!("on purpose")))
    }));
    assert!(caught.is_err());
    assert_eq!(product_kind(), Kind::Float, "a panic leaves the region, too");
}

#[test]
fn autocast_is_in_the_format_that_was_asked_for() {
    let within = |format| autocast_to(Device::Cpu, format, || (autocast_format(Device::Cpu), product_kind()));
    assert_eq!(within(Some(Half::Fp16)), (Some(Half::Fp16), Kind::Half));
    assert_eq!(within(Some(Half::Bf16)), (Some(Half::Bf16), Kind::BFloat16));
    assert_eq!(within(None), (None, Kind::Float));
    let nested = autocast_to(Device::Cpu, Some(Half::Fp16), || (within(Some(Half::Bf16)).1, product_kind()));
    assert_eq!(nested, (Kind::BFloat16, Kind::Half));
}

#[test]
fn autocast_does_not_remember_weights_across_regions() {
    let weight = Tensor::ones([8, 8], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let x = Tensor::ones([1, 8], (Kind::Float, Device::Cpu));
    let product = || autocast(Device::Cpu, true, || x.linear(&weight, None::<&Tensor>));
    assert_eq!(product().double_value(&[0, 0]), 8.0);
    let _ = tch::no_grad(|| weight.shallow_clone().fill_(2.0));
    assert_eq!(product().double_value(&[0, 0]), 16.0);
}

#[test]
fn devices_by_name() {
    assert_eq!(parse_device("cpu").unwrap(), Device::Cpu);
    for name in ["gpu", "", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:99999999999999999999"] {
        assert!(matches!(parse_device(name), Err(TorchError::UnknownDevice(_))), "`{name}` is no device");
    }
    if !tch::utils::has_cuda() {
        for name in ["cuda", "cuda:3"] {
            let error = parse_device(name).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "the device `{name}` is not available: this libtorch has no CUDA, or finds no CUDA device"
                )
            );
        }
    }
    assert!(bf16_is_fast(Device::Cuda(0)));
    assert!(!bf16_is_fast(Device::Mps));
}

#[test]
fn threads_are_set_or_refused() {
    let before = threads();
    set_threads(1).unwrap();
    assert_eq!(threads(), 1);
    set_threads(before).unwrap();
    for absurd in [0, usize::MAX] {
        assert!(matches!(set_threads(absurd), Err(TorchError::Threads(_))));
        assert!(matches!(set_interop_threads(absurd), Err(TorchError::Threads(_))));
    }
    // libtorch allows it once; the second call is an exception, not an abort
    let results = [set_interop_threads(2), set_interop_threads(2)];
    let error = results.into_iter().find_map(Result::err).expect("the second call is too late");
    let text = error.to_string();
    assert!(text.starts_with("libtorch: ") && !text.contains('\n') && !text.contains("frame #"), "{text}");
}

#[test]
fn own_loops_run_on_libtorchs_threads() {
    for count in [1, 2, 3] {
        set_threads(count).unwrap();
        assert_eq!((threads(), loop_threads()), (count, count));
    }
}

#[test]
fn the_seed_decides_what_is_drawn() {
    let draw = |seed| {
        let _draws = manual_seed(seed);
        Tensor::rand([4], (Kind::Float, Device::Cpu))
    };
    assert_eq!(draw(u64::MAX), draw(u64::MAX));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn what_is_drawn_in_one_thread_is_not_disturbed_by_another() {
    let draw = |seed| {
        let _draws = manual_seed(seed);
        let one = || Tensor::rand([16], (Kind::Float, Device::Cpu));
        let before = one();
        // the same thread may seed anew inside
        drop(manual_seed(seed));
        assert_eq!(one(), before);
        (0..50).map(|_| one()).collect::<Vec<_>>()
    };
    let alone: Vec<_> = (0..8).map(draw).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || draw(seed))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it only draws")).collect()
    });
    assert_eq!(together, alone);
}

#[test]
fn an_exception_is_one_sentence() {
    let a = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
    let error = TorchError::from(a.f_matmul(&a).unwrap_err());
    assert_eq!(error.to_string(), "libtorch: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
}
