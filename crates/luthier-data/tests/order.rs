//! Splits keep each class's share and never overlap; epochs are permutations that the seed decides.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

use std::collections::{BTreeMap, BTreeSet};

use luthier_data::{SplitError, bucketed_order, epoch_order, per_class_order, stratified_split};
use proptest::prelude::*;

proptest! {
    #[test]
    fn folds_are_disjoint_sorted_and_keep_each_class_its_share(
        labels in prop::collection::vec(0u32..4, 1..120),
        valid in 0.05f64..0.6,
        seed in any::<u64>(),
    ) {
        let folds = (1.0 / valid + 1e-9).floor() as u64;
        let mut seen = BTreeSet::new();
        for fold in 0..folds {
            let Ok((train, held)) = stratified_split(&labels, valid, fold, seed) else { continue };
            prop_assert!(train.is_sorted() && held.is_sorted());
            let mut all = [train.clone(), held.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len() as u32).collect::<Vec<_>>());
            for index in &held {
                prop_assert!(seen.insert(*index), "{} is in two folds", index);
            }
            for class in 0..4 {
                let count = |of: &[u32]| of.iter().filter(|i| labels[**i as usize] == class).count();
                let (n, taken) = (labels.iter().filter(|l| **l == class).count(), count(&held));
                prop_assert!((taken as f64 - n as f64 * valid).abs() <= 1.0, "{} of {} at {}", taken, n, valid);
                prop_assert!(n == 0 || count(&train) > 0, "class {} is never trained", class);
            }
            prop_assert_eq!(stratified_split(&labels, valid, fold, seed).unwrap(), (train, held));
        }
    }

    #[test]
    fn an_epoch_uses_each_sample_once(n in 0usize..300, seed in any::<u64>(), epoch in 0u64..50) {
        let mut order = epoch_order(n, seed, epoch, true);
        prop_assert_eq!(&order, &epoch_order(n, seed, epoch, true));
        prop_assert!(n < 20 || order != epoch_order(n, seed, epoch + 1, true));
        order.sort_unstable();
        prop_assert_eq!(order, epoch_order(n, seed, epoch, false));
    }

    #[test]
    fn a_bucketed_epoch_uses_each_sample_once(
        lengths in prop::collection::vec(0u32..200, 0..300),
        batch in 0usize..20,
        seed in any::<u64>(),
        epoch in 0u64..50,
        window in 0usize..40,
    ) {
        let mut order = bucketed_order(&lengths, batch, seed, epoch, window);
        prop_assert_eq!(&order, &bucketed_order(&lengths, batch, seed, epoch, window));
        let batch = batch.max(1);
        let batches = |order: &[u32]| {
            let mut batches: Vec<Vec<u32>> = order.chunks_exact(batch).map(<[u32]>::to_vec).collect();
            batches.iter_mut().for_each(|batch| batch.sort_unstable());
            batches.sort();
            batches
        };
        if window <= 1 {
            // a window of one batch changes no batch, only their order
            prop_assert_eq!(batches(&order), batches(&epoch_order(lengths.len(), seed, epoch, true)));
        }
        order.sort_unstable();
        prop_assert_eq!(order, epoch_order(lengths.len(), seed, epoch, false));
    }
}

/// Positions of a padded batch that hold no token, over all positions.
fn padding(lengths: &[u32], order: &[u32], batch: usize) -> f64 {
    let (mut real, mut all) = (0, 0);
    for batch in order.chunks(batch) {
        let lengths: Vec<u32> = batch.iter().map(|i| lengths[*i as usize]).collect();
        real += lengths.iter().sum::<u32>();
        all += lengths.iter().max().unwrap() * lengths.len() as u32;
    }
    1.0 - f64::from(real) / f64::from(all)
}

#[test]
fn buckets_leave_little_to_pad_and_come_in_random_order() {
    let lengths: Vec<u32> = (0..1500).map(|i: u32| 3 + i.wrapping_mul(2_654_435_761) % 117).collect();
    let plain = padding(&lengths, &epoch_order(1500, 7, 0, true), 8);
    let order = bucketed_order(&lengths, 8, 7, 0, 50);
    let bucketed = padding(&lengths, &order, 8);
    assert!(plain > 0.4 && bucketed < 0.02, "{plain} {bucketed}");
    // the longest of each batch neither rises nor falls over the epoch
    let longest: Vec<u32> =
        order.chunks(8).map(|batch| batch.iter().map(|i| lengths[*i as usize]).max().unwrap()).collect();
    let rises = longest.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((60..130).contains(&rises), "{rises} of {}", longest.len());
    // whole batches only are shuffled: what is left over stays at the end
    assert_eq!(order.len() % 8, 4);
    assert_eq!(order[1496..], epoch_order(1500, 7, 0, true)[1496..]);
    assert_ne!(order, bucketed_order(&lengths, 8, 7, 1, 50));
}

#[test]
fn five_folds_of_a_fifth_cover_everything() {
    let labels: Vec<u32> = (0..244).map(|i| u32::from(i >= 123)).collect();
    let mut all: Vec<u32> = (0..5).flat_map(|f| stratified_split(&labels, 0.2, f, 42).unwrap().1).collect();
    all.sort_unstable();
    assert_eq!(all, (0..244).collect::<Vec<_>>());
}

#[test]
fn impossible_splits_are_refused() {
    let labels = [0, 0, 1, 1];
    for valid in [0.0, 1.0, -0.5, f64::NAN, 7.0] {
        assert!(matches!(stratified_split(&labels, valid, 0, 1), Err(SplitError::Share { .. })), "{valid}");
    }
    let error = stratified_split(&labels, 0.2, 5, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`data.split.fold` = 5 does not exist: a share of 0.2 gives 5 disjoint parts"
    );
    assert!(matches!(stratified_split(&labels, 0.1, 0, 1), Err(SplitError::Nothing { .. })));
    assert!(matches!(stratified_split(&[], 0.5, 0, 1), Err(SplitError::Nothing { .. })));
}

/// The order is part of what a run's seed promises: an update of a dependency must not change it.
#[test]
fn the_order_of_a_seed_stays_what_it_was() {
    assert_eq!(epoch_order(10, 42, 0, true), ORDER_42_0);
}

const ORDER_42_0: [u32; 10] = [8, 6, 7, 3, 4, 2, 1, 0, 9, 5];

#[test]
fn batches_of_m_samples_of_each_class_have_just_those() {
    // (samples of each class, classes of a batch, m)
    let rows: [(&[usize], usize, usize); 4] =
        [(&[12; 8], 4, 4), (&[40, 4, 9, 17], 3, 4), (&[5, 7, 3], 3, 3), (&[30, 2], 2, 2)];
    for (sizes, together, m) in rows {
        let labels: Vec<u32> = (0..).zip(sizes).flat_map(|(class, size)| vec![class; *size]).collect();
        let batch = together * m;
        for epoch in 0..5 {
            let order = per_class_order(&labels, batch, m, 7, epoch);
            assert_eq!(order, per_class_order(&labels, batch, m, 7, epoch), "by seed and epoch alone");
            assert_ne!(order, per_class_order(&labels, batch, m, 7, epoch + 1));
            assert_eq!(order.len(), labels.len() / batch * batch, "{sizes:?}");
            let mut of: BTreeMap<u32, usize> = BTreeMap::new();
            for part in order.chunks(batch) {
                let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
                part.iter().for_each(|sample| *counts.entry(labels[*sample as usize]).or_default() += 1);
                assert!(counts.len() == together && counts.values().all(|count| *count == m), "{counts:?}");
                counts.keys().for_each(|class| *of.entry(*class).or_default() += 1);
                let mut different = part.to_vec();
                different.sort_unstable();
                different.dedup();
                assert_eq!(different.len(), batch, "no sample twice in a batch: {part:?}");
            }
            // classes come in turn
            let times = || (0..sizes.len() as u32).map(|class| of.get(&class).copied().unwrap_or(0));
            assert!(times().max().unwrap() - times().min().unwrap() <= 1, "{of:?}");
        }
    }
    // where the samples make whole batches of all classes, each is used once
    let labels: Vec<u32> = (0..24).map(|sample| sample % 3).collect();
    let mut all = per_class_order(&labels, 6, 2, 1, 0);
    all.sort_unstable();
    assert_eq!(all, (0..24).collect::<Vec<u32>>());
}
