//! Parts of a whole: disjoint, of exact sizes, decided by the seed.
#![allow(clippy::unwrap_used, reason = "tests")]

use luthier_data::{
    Parts, Shares, SplitError, bucketed_order, oversample, plain_parts, stratified_parts, stratified_split,
    undersample,
};
use proptest::prelude::*;

const USUAL: Shares = Shares { train: 0.7, valid: 0.1, test: 0.2 };

fn shares() -> impl Strategy<Value = Shares> {
    (0u32..40, 0u32..40, 1u32..60).prop_map(|(valid, test, train)| {
        let whole = f64::from(valid + test + train);
        Shares {
            train: f64::from(train) / whole,
            valid: f64::from(valid) / whole,
            test: f64::from(test) / whole,
        }
    })
}

/// The parts as a list, after a look at what every split promises.
fn checked(parts: &Parts, samples: usize, shares: Shares) -> [Vec<u32>; 3] {
    let list = [parts.train.clone(), parts.valid.clone(), parts.test.clone()];
    assert!(list.iter().all(|part| part.is_sorted()));
    let mut all = list.concat();
    all.sort_unstable();
    assert_eq!(all, (0..samples as u32).collect::<Vec<_>>());
    for (part, share) in list.iter().zip([shares.train, shares.valid, shares.test]) {
        assert!((part.len() as f64 - share * samples as f64).abs() < 1.0 + 1e-6);
    }
    list
}

fn sizes(parts: &Parts) -> [usize; 3] {
    [parts.train.len(), parts.valid.len(), parts.test.len()]
}

proptest! {
    #[test]
    fn plain_parts_cover_everything_once(samples in 0usize..400, shares in shares(), seed in any::<u64>()) {
        let Ok(parts) = plain_parts(samples, shares, seed) else { return Ok(()) };
        checked(&parts, samples, shares);
        prop_assert_eq!(&parts, &plain_parts(samples, shares, seed).unwrap());
        prop_assert!(samples < 40 || parts.valid.len() < 4 || parts != plain_parts(samples, shares, seed ^ 1).unwrap());
    }

    #[test]
    fn stratified_parts_keep_each_class_its_share(
        labels in prop::collection::vec(0u32..6, 1..400),
        shares in shares(),
        seed in any::<u64>(),
    ) {
        let Ok(parts) = stratified_parts(&labels, shares, seed) else { return Ok(()) };
        let list = checked(&parts, labels.len(), shares);
        prop_assert_eq!(sizes(&parts), sizes(&plain_parts(labels.len(), shares, seed).unwrap()));
        prop_assert_eq!(&parts, &stratified_parts(&labels, shares, seed).unwrap());
        let count = |part: &[u32], class| part.iter().filter(|i| labels[**i as usize] == class).count();
        for class in 0..6 {
            let n = labels.iter().filter(|label| **label == class).count();
            // a class that would never be trained on moves one more
            let slack = if n * 4 > labels.len() / 6 { 2.0 } else { 7.0 };
            for (part, share) in list.iter().zip([shares.train, shares.valid, shares.test]) {
                let (taken, exact) = (count(part, class) as f64, share * n as f64);
                prop_assert!((taken - exact).abs() < slack, "{} of {}, exact {}", taken, n, exact);
            }
            let enough = list[0].len() >= 6;
            prop_assert!(n == 0 || !enough || count(&list[0], class) > 0, "class {} is never trained", class);
        }
    }

    #[test]
    fn balanced_classes_are_of_one_size(labels in prop::collection::vec(0u32..5, 1..200), seed in any::<u64>()) {
        let count = |of: &[u32], class| of.iter().filter(|i| labels[**i as usize] == class).count();
        let all: Vec<u32> = (0..labels.len() as u32).collect();
        let present: Vec<u32> = (0..5).filter(|class| count(&all, *class) > 0).collect();
        let fewest = present.iter().map(|class| count(&all, *class)).min().unwrap();
        let most = present.iter().map(|class| count(&all, *class)).max().unwrap();

        let under = undersample(&labels, seed);
        prop_assert!(under.is_sorted_by(|a, b| a < b), "an index is there twice");
        prop_assert!(present.iter().all(|class| count(&under, *class) == fewest));
        prop_assert_eq!(&under, &undersample(&labels, seed));

        let over = oversample(&labels, seed);
        prop_assert!(over.is_sorted());
        for class in present {
            prop_assert_eq!(count(&over, class), most);
            let members = all.iter().filter(|i| labels[**i as usize] == class);
            let repeats: Vec<usize> = members.map(|i| over.iter().filter(|o| *o == i).count()).collect();
            prop_assert!(repeats.iter().max().unwrap() - repeats.iter().min().unwrap() <= 1);
            prop_assert!(repeats.iter().all(|n| *n >= 1));
        }
    }
}

#[test]
fn ordinary_stratified_splits_are_exact_to_one_sample() {
    let labels: Vec<u32> = (0..5574).map(|i| u32::from(i % 15 < 2)).collect();
    for seed in 0..20 {
        let parts = stratified_parts(&labels, USUAL, seed).unwrap();
        assert_eq!(sizes(&parts), [3902, 557, 1115]);
        let ones = |part: &[u32]| part.iter().filter(|i| labels[**i as usize] == 1).count() as f64;
        let n = ones(&(0..5574).collect::<Vec<_>>());
        for (part, share) in [(&parts.train, 0.7), (&parts.valid, 0.1), (&parts.test, 0.2)] {
            assert!((ones(part) - share * n).abs() < 1.0);
        }
    }
}

#[test]
fn the_largest_remainders_get_what_is_left() {
    // 1045.8, 149.4, 298.8
    assert_eq!(sizes(&plain_parts(1494, USUAL, 123).unwrap()), [1046, 149, 299]);
    assert_eq!(sizes(&plain_parts(10, USUAL, 1).unwrap()), [7, 1, 2]);
    let no_test = Shares { train: 0.8, valid: 0.2, test: 0.0 };
    assert_eq!(sizes(&plain_parts(11, no_test, 1).unwrap()), [9, 2, 0]);
}

#[test]
fn a_rare_class_is_trained_on_first() {
    let labels: Vec<u32> = (0..100).map(|i| if i < 3 { i } else { 3 }).collect();
    for seed in 0..50 {
        let parts = stratified_parts(&labels, Shares { train: 0.2, valid: 0.4, test: 0.4 }, seed).unwrap();
        assert_eq!(sizes(&parts), [20, 40, 40]);
        assert!((0..3).all(|rare| parts.train.contains(&rare)), "seed {seed}");
    }
}

#[test]
fn shares_that_make_no_whole_are_refused() {
    for (train, valid, test) in [(0.7, 0.1, 0.1), (1.2, -0.2, 0.0), (f64::NAN, 0.5, 0.5), (0.0, 0.0, 0.0)] {
        let shares = Shares { train, valid, test };
        assert!(matches!(plain_parts(100, shares, 1), Err(SplitError::Shares { .. })), "{shares:?}");
        assert!(matches!(stratified_parts(&[0, 1], shares, 1), Err(SplitError::Shares { .. })), "{shares:?}");
    }
    let error = plain_parts(100, Shares { train: 0.7, valid: 0.1, test: 0.1 }, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`data.split` shares out 0.7 + 0.1 + 0.1, and the three must be at least 0 and add up to 1"
    );
    let error = plain_parts(3, USUAL, 1).unwrap_err();
    assert_eq!(error.to_string(), "`data.split.valid` = 0.1 of 3 samples leaves nothing for it");
}

/// What a seed decides is part of what a run promises: an update of a dependency must not change it.
#[test]
fn the_choices_of_a_seed_stay_what_they_were() {
    let labels = [0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1];
    let halves = Shares { train: 0.5, valid: 0.25, test: 0.25 };
    let seen = (
        plain_parts(12, halves, 42).unwrap().test,
        stratified_parts(&labels, halves, 42).unwrap().test,
        stratified_split(&labels, 0.25, 1, 42).unwrap().1,
        undersample(&labels, 42),
        bucketed_order(&labels, 2, 42, 0, 2),
    );
    let expected = (
        vec![4, 6, 11],
        vec![5, 6, 9],
        vec![2, 4, 8],
        vec![1, 2, 4, 6, 8, 9, 10, 11],
        vec![2, 0, 7, 10, 8, 6, 9, 4, 5, 3, 11, 1],
    );
    assert_eq!(seen, expected);
}
