//! The seed decides the weights. Alone in its file: libtorch's generator is the process's, and tests run side by side.

mod common;

use luthier_model::{ARCHS, Model};
use tch::{Device, Tensor};

#[test]
fn the_seed_decides_every_weight() {
    for arch in ARCHS {
        let draw = |seed| -> Vec<(String, Tensor)> {
            Model::build(&common::spec(arch, 3), seed, Device::Cpu).unwrap().state()
        };
        let (a, b, other) = (draw(u64::MAX), draw(u64::MAX), draw(1));
        assert_eq!(a, b, "{arch:?}");
        assert_ne!(a.first(), other.first(), "{arch:?}");
    }
}
