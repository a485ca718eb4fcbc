//! Dropout drops what it should, and the seed alone decides what.

use luthier_torch::{dropout, grad, manual_seed, set_threads};
use tch::{Device, Kind, Tensor};

const COUNT: i64 = 200_001;

fn drawn(kind: Kind, seed: u64) -> Tensor {
    let _draws = manual_seed(seed);
    dropout(&Tensor::ones([COUNT], (kind, Device::Cpu)), 0.1).expect("it is of floats")
}

fn number(x: &Tensor) -> f64 {
    f64::try_from(x.to_kind(Kind::Double)).expect("it is one number")
}

#[test]
fn a_tenth_is_dropped_and_the_rest_makes_up_for_it() {
    for kind in [Kind::Float, Kind::BFloat16] {
        let y = drawn(kind, 3);
        assert_eq!(y.kind(), kind);
        let kept = number(&y.ne(0.0).to_kind(Kind::Double).mean(Kind::Double));
        // four standard deviations of the share of 200,001 draws
        assert!((kept - 0.9).abs() < 4.0 * (0.09 / COUNT as f64).sqrt(), "{kind:?}: {kept} kept");
        let top = number(&y.max());
        assert!((top - 1.0 / 0.9).abs() < 0.002, "{kind:?}: kept ones are {top}");
        // neighbours, which share a draw of 64 bits, are dropped independently
        let dropped = y.eq(0.0).to_kind(Kind::Double);
        let both = &dropped.narrow(0, 0, COUNT - 1) * &dropped.narrow(0, 1, COUNT - 1);
        assert!((number(&both.mean(Kind::Double)) - 0.01).abs() < 0.001, "{kind:?}");
    }
}

#[test]
fn the_seed_decides_and_the_threads_do_not() {
    assert_eq!(drawn(Kind::Float, 3), drawn(Kind::Float, 3));
    assert_ne!(drawn(Kind::Float, 3), drawn(Kind::Float, 4));
    let two = drawn(Kind::Float, 5);
    set_threads(1).unwrap();
    assert_eq!(drawn(Kind::Float, 5), two);
    // a second mask under one seed is another mask
    let _draws = manual_seed(6);
    let ones = Tensor::ones([COUNT], (Kind::Float, Device::Cpu));
    assert_ne!(dropout(&ones, 0.5).unwrap(), dropout(&ones, 0.5).unwrap());
}

#[test]
fn the_gradient_passes_where_the_value_did() {
    // libtorch's generator is one for the process: a draw outside a turn would shift the draws of the test beside this one
    let _draws = manual_seed(7);
    let x = Tensor::ones([64, 33], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let y = dropout(&x.transpose(0, 1), 0.5).unwrap();
    y.sum(Kind::Float).backward();
    assert_eq!(grad(&x).unwrap().unwrap(), y.transpose(0, 1));
}
