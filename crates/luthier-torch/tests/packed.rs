//! Linear layers over packed weights.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use luthier_torch::{PackedLinear, Then, autocast, autocast_enabled};
use tch::{Device, Kind, Tensor};

fn randn(shape: &[i64]) -> Tensor {
    Tensor::randn(shape, (Kind::Float, Device::Cpu))
}

fn apart(a: &Tensor, b: &Tensor) -> f64 {
    f64::try_from((a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max()).unwrap()
}

#[test]
fn the_same_products() {
    let (weight, bias) = (randn(&[48, 32]) * 0.2, randn(&[48]));
    // 1e-5 is fp32's, 0.04 the eight bits of a bf16 of up to 4
    for (kind, tolerance) in [(Kind::Float, 1e-5), (Kind::BFloat16, 0.04)] {
        let (weight, bias) = (weight.to_kind(kind), bias.to_kind(kind));
        let packed = PackedLinear::new(&weight, 64).unwrap();
        for rows in [1, 3, 64, 100] {
            let x = randn(&[rows, 32]).to_kind(kind);
            let plain =
                x.to_kind(Kind::Float).linear(&weight.to_kind(Kind::Float), Some(&bias.to_kind(Kind::Float)));
            for (then, expected) in [
                (Then::Nothing, plain.shallow_clone()),
                (Then::Gelu, plain.gelu("none")),
                (Then::GeluTanh, plain.gelu("tanh")),
            ] {
                let got = packed.forward(&x, Some(&bias), then).unwrap();
                assert_eq!((got.kind(), got.size()), (kind, vec![rows, 48]));
                assert!(apart(&got, &expected) < tolerance, "{kind:?} {rows} {then:?}");
            }
            let bare = packed.forward(&x, None, Then::Nothing).unwrap();
            assert!(apart(&bare, &(&plain - bias.to_kind(Kind::Float))) < tolerance);
        }
        let error = packed.forward(&randn(&[3, 31]).to_kind(kind), None, Then::Nothing).unwrap_err();
        assert!(error.to_string().starts_with("libtorch: "), "{error}");
    }
}

#[test]
fn autocast_says_whether_it_is_on() {
    assert!(!autocast_enabled(Device::Cpu));
    autocast(Device::Cpu, true, || {
        assert!(autocast_enabled(Device::Cpu));
        assert!(!autocast_enabled(Device::Cuda(0)));
        autocast(Device::Cpu, false, || assert!(!autocast_enabled(Device::Cpu)));
    });
    assert!(!autocast_enabled(Device::Vulkan));
}
