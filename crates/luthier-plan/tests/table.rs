//! What scaling does to a column, and what its figures say.

use luthier_plan::{ColumnStats, Scaling};
use luthier_recipe::Scale;
use proptest::prelude::*;

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    let number = prop_oneof![-1e6..1e6_f64, -1e-6..1e-6_f64, Just(0.0), Just(7.0), 1e200..1e201_f64];
    prop::collection::vec(number, 1..50)
}

#[test]
fn figures_by_hand() {
    let stats = ColumnStats::of([1.0, f64::NAN, 3.0, f64::INFINITY, 8.0].into_iter());
    assert_eq!((stats.min, stats.max, stats.mean), (1.0, 8.0, 4.0));
    assert_eq!((stats.count, stats.non_finite), (3, 2));
    assert!((stats.std - (26.0_f64 / 3.0).sqrt()).abs() < 1e-12, "divided by n: {}", stats.std);
    let none = ColumnStats::of([f64::NAN].into_iter());
    assert_eq!(none, ColumnStats { non_finite: 1, ..ColumnStats::default() });
    // scikit-learn's scalers on 1, 3, 8
    let standard = Scaling::fit(Scale::Standardize, &stats);
    assert!((standard.apply(8.0) - 1.358_732_440_973_514).abs() < 1e-12, "{}", standard.apply(8.0));
    assert!((Scaling::fit(Scale::Minmax, &stats).apply(3.0) - 2.0 / 7.0).abs() < 1e-12);
}

#[test]
fn a_column_that_does_not_vary_becomes_zero() {
    for number in [0.0, 0.1, -1e300, 5.0] {
        let stats = ColumnStats::of([number; 7].into_iter());
        assert_eq!(stats.std, 0.0);
        for scale in [Scale::Standardize, Scale::Minmax] {
            let scaling = Scaling::fit(scale, &stats);
            assert_eq!(scaling.divisor, 1.0);
            assert!(scaling.apply(number).abs() <= number.abs() * 1e-15, "{number} {scale:?}");
        }
    }
}

proptest! {
    #[test]
    fn scaled_columns_have_the_figures_that_were_asked_for(numbers in numbers()) {
        let stats = ColumnStats::of(numbers.iter().copied());
        prop_assert!(stats.min <= stats.mean * (1.0 + stats.mean.signum() * 1e-12) && stats.std >= 0.0);
        let scaled = |scale| {
            let scaling = Scaling::fit(scale, &stats);
            ColumnStats::of(numbers.iter().map(|x| scaling.apply(*x)))
        };
        if stats.max > stats.min && stats.std > 1e-9 * stats.max.abs().max(stats.min.abs()) {
            let standard = scaled(Scale::Standardize);
            prop_assert!(standard.mean.abs() < 1e-5 && (standard.std - 1.0).abs() < 1e-5, "{standard:?}");
            let minmax = scaled(Scale::Minmax);
            prop_assert!(minmax.min == 0.0 && (minmax.max - 1.0).abs() < 1e-12, "{minmax:?}");
        }
        prop_assert_eq!(scaled(Scale::None), stats);
    }

    #[test]
    fn undoing_gives_the_number_back(numbers in numbers(), x in -1e6..1e6_f64) {
        let stats = ColumnStats::of(numbers.iter().copied());
        for scale in [Scale::None, Scale::Standardize, Scale::Minmax] {
            let scaling = Scaling::fit(scale, &stats);
            let size = x.abs().max(scaling.shift.abs());
            prop_assert!((scaling.undo(scaling.apply(x)) - x).abs() <= 1e-12 * size.max(1.0));
        }
    }
}
