//! What objectives and measures do where it matters.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::*;
use luthier_contrast::*;
use tch::{Device, Kind, Tensor};

#[test]
fn neither_collapse_nor_nan_counts_as_accuracy() {
    let one = Tensor::ones([4, 3], (Kind::Float, Device::Cpu)) / 3f64.sqrt();
    let contrast = info_nce(&one, &one, &one, Negatives::Queue, 0.1).unwrap();
    assert_eq!(top_k(&contrast.logits, &contrast.labels, 1).unwrap(), 0.0, "all embeddings are one point");
    let nothing = info_nce(&(&one * f64::NAN), &one, &one, Negatives::Queue, 0.1).unwrap();
    assert_eq!(top_k(&nothing.logits, &nothing.labels, 5).unwrap(), 0.0, "NaN beats nothing");
    let views = directions(4, 16);
    let same =
        info_nce(&views, &views, &directions(40, 16).narrow(0, 20, 20), Negatives::Queue, 0.1).unwrap();
    assert_eq!(top_k(&same.logits, &same.labels, 1).unwrap(), 1.0, "identical views are found");
}

#[test]
fn small_temperatures_do_not_overflow_in_half_precision() {
    let queries = directions(4, 16).to_kind(Kind::Half).set_requires_grad(true);
    let contrast = info_nce(
        &queries,
        &directions(4, 16).to_kind(Kind::Half),
        &directions(8, 16),
        Negatives::Queue,
        0.01,
    )
    .unwrap();
    contrast.loss.backward();
    assert!(value(&contrast.loss).is_finite());
    assert_eq!(queries.grad().isfinite().all().int64_value(&[]), 1);
}

#[test]
fn keys_queue_and_prototypes_get_no_gradient() {
    let leaf = || directions(4, 8).set_requires_grad(true);
    let (queries, keys, queue) = (leaf(), leaf(), leaf());
    info_nce(&queries, &keys, &queue, Negatives::Queue, 0.2).unwrap().loss.backward();
    assert!(queries.grad().defined() && !keys.grad().defined() && !queue.grad().defined());
}

#[test]
fn negatives_are_other_clusters_and_drawn_by_name() {
    let prototypes = Prototypes {
        centres: directions(50, 8),
        concentration: Tensor::ones([50], (Kind::Float, Device::Cpu)),
        assignment: (0..200).map(|sample| sample % 50).collect(),
    };
    let draw =
        |update, granularity| draw_negatives(&prototypes, &[3, 53, 7], 10, 1, update, granularity).unwrap();
    let drawn = draw(5, 0);
    assert_eq!((drawn.labels.clone(), drawn.clusters.len()), (vec![0, 0, 1], 12));
    assert_eq!(drawn.clusters[..2], [3, 7]);
    assert!(drawn.clusters[2..].iter().all(|cluster| ![3, 7].contains(cluster)));
    assert_eq!(drawn, draw(5, 0));
    assert!(drawn != draw(6, 0) && drawn != draw(5, 1));
    let all = draw_negatives(&prototypes, &[3], 1000, 1, 0, 0).unwrap();
    assert_eq!(all.clusters.len(), 50, "more than there are");
}

#[test]
fn uniformity_alignment_and_spread_tell_collapse() {
    let even = directions(200, 32);
    let one = Tensor::ones([200, 32], (Kind::Float, Device::Cpu));
    assert!((spread(&even).unwrap() - 1.0).abs() < 0.05 && spread(&one).unwrap() < 1e-3);
    assert!(uniformity(&even).unwrap() < -3.0 && uniformity(&normalize(&one).unwrap()).unwrap().abs() < 1e-3);
    assert_eq!(alignment(&even, &even).unwrap(), 0.0);
    assert_eq!(f64::try_from(normalize(&(&one * 0.0)).unwrap().sum(Kind::Double)).unwrap(), 0.0);
}

#[test]
fn own_keys_in_the_queue_are_counted_as_shuffled_epochs_make_them() {
    // a permutation for every epoch, and a queue that is looked at before each sample goes in
    let (samples, length, epochs) = (40u64, 60u64, 400u64);
    let mut past: Vec<u64> = Vec::new();
    let mut met = 0;
    let mut state = 9u64;
    for epoch in 0..epochs {
        let mut order: Vec<u64> = (0..samples).collect();
        for at in (1..order.len()).rev() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            order.swap(at, (state >> 33) as usize % (at + 1));
        }
        for sample in order {
            if epoch >= 5 {
                met += past.iter().rev().take(length as usize).filter(|one| **one == sample).count();
            }
            past.push(sample);
        }
    }
    let measured = met as f64 / ((epochs - 5) * samples) as f64;
    let expected = false_negatives(length, samples);
    assert!((measured - expected).abs() < 0.02, "{measured} counted, {expected} expected");
    assert_eq!(false_negatives(40, 40), 0.5);
    assert!(false_negatives(65_536, 1_281_167) < 0.002, "MoCo's on ImageNet");
    assert!((false_negatives(65_536, 50_000) - 0.85).abs() < 0.1, "on CIFAR");
}

#[test]
fn good_initial_centres_are_far_apart_and_one_seed_draws_one_set() {
    // eight tight heaps
    let heaps = directions(8, 16) * 10.0;
    let rows = heaps.repeat([40, 1]) + directions(320, 16) * 0.1;
    for seed in 0..5 {
        let start = plus_plus(&rows, 8, seed).unwrap();
        let found = kmeans(&rows, &start, KMeans { iterations: 10, spherical: false }).unwrap();
        assert!(found.inertia < 5.0, "seed {seed}: {}", found.inertia);
        assert_eq!(start, plus_plus(&rows, 8, seed).unwrap());
    }
}

#[test]
fn clusters_of_equal_rows_are_repaired_and_have_a_temperature() {
    let rows = normalize(&Tensor::ones([20, 4], (Kind::Float, Device::Cpu))).unwrap();
    let start = plus_plus(&rows, 5, 1).unwrap();
    let found = kmeans(&rows, &start, KMeans { iterations: 5, spherical: true }).unwrap();
    assert!(found.inertia < 1e-3 && found.centres.isfinite().all().int64_value(&[]) == 1);
    let phi = concentrations(&found.assignment, &[0.0; 20], 5, Concentration::default()).unwrap();
    assert_eq!(phi, [0.2; 5]);
}

#[test]
fn blocks_and_threads_change_nothing() {
    // blocks of 2²² / 1000 rows
    let rows = directions(9000, 8);
    let start = rows.narrow(0, 0, 1000);
    let options = KMeans { iterations: 4, spherical: false };
    let before = luthier_torch::threads();
    let found: Vec<_> = [1, 3]
        .into_iter()
        .map(|threads| {
            luthier_torch::set_threads(threads).unwrap();
            kmeans(&rows, &start, options).unwrap()
        })
        .collect();
    luthier_torch::set_threads(before).unwrap();
    assert_eq!(found[0].assignment, found[1].assignment);
    // every row is where a search over all centres finds it
    let distances = Tensor::cdist(&rows, &found[0].centres, 2.0, 2);
    let own = Tensor::from_slice(&found[0].assignment).unsqueeze(1);
    let (least, _) = distances.min_dim(1, true);
    same(&distances.gather(1, &own, false), &least, 1e-3, "nearest");
}

#[test]
fn rounding_on_the_way_decides_nothing() {
    // small ones among large ones, beside each other far from the origin, and rows of nothing
    let near = directions(600, 33);
    let spread = &near * Tensor::linspace(-3.0, 3.0, 600, (Kind::Float, Device::Cpu)).exp().unsqueeze(1);
    let shifted = directions(600, 33) * 0.05 + 2.0;
    let nothing = Tensor::zeros([3, 33], (Kind::Float, Device::Cpu));
    for rows in [near, Tensor::cat(&[&spread, &nothing], 0), shifted] {
        let start = rows.narrow(0, 0, 50);
        for iterations in [0, 1, 7] {
            let found = kmeans(&rows, &start, KMeans { iterations, spherical: false }).unwrap();
            let (x, c) = (rows.to_kind(Kind::Double), found.centres.to_kind(Kind::Double));
            let all = (x.unsqueeze(1) - c.unsqueeze(0)).square().sum_dim_intlist(2, false, Kind::Double);
            let own = all.gather(1, &Tensor::from_slice(&found.assignment).unsqueeze(1), false);
            let (least, _) = all.min_dim(1, true);
            // as far as fp32 can tell, of rows of this length
            let sure = x.square().sum_dim_intlist(1, true, Kind::Double) * 1e-5 + 1e-9;
            let wrong = (&own - &least).gt_tensor(&sure).sum(Kind::Int64).int64_value(&[]);
            assert_eq!(wrong, 0, "{iterations} rounds");
            let told = Tensor::from_slice(&found.squared_distances).to_kind(Kind::Double).unsqueeze(1);
            assert_eq!((told - own).abs().gt_tensor(&sure).sum(Kind::Int64).int64_value(&[]), 0);
        }
    }
}

#[test]
fn a_probe_separates_what_a_line_separates() {
    let features = directions(400, 12);
    let labels = features.select(1, 3).gt(0.0).to_kind(Kind::Int64);
    let constant = Tensor::cat(&[&features, &Tensor::ones([400, 1], (Kind::Float, Device::Cpu))], 1);
    let probe = linear_probe(&constant, &labels, 2, LinearProbe::default()).unwrap();
    assert!(probe.accuracy(&constant, &labels).unwrap() > 0.98, "a constant column does no harm");
}

#[test]
fn neighbours_in_a_bank_of_several_blocks_are_those_of_the_whole() {
    // 4096 rows of 512 numbers are a block, and so are 1024 queries
    let (bank, queries) = (directions(9000, 512), directions(1100, 512));
    let labels = Tensor::arange(9000, (Kind::Int64, Device::Cpu)).remainder(7);
    let knn = Knn { k: 50, ..Knn::default() };
    let own = knn_classes(&queries, &bank, &labels, 7, knn).unwrap();
    let (best, which) = queries.matmul(&bank.tr()).topk(50, 1, true, true);
    let votes = (best / knn.temperature).exp();
    let sums = Tensor::zeros([1100, 7], (Kind::Float, Device::Cpu)).scatter_add(
        1,
        &labels.index_select(0, &which.flatten(0, -1)).view_as(&which),
        &votes,
    );
    let same = own.eq_tensor(&sums.argmax(1, false)).sum(Kind::Int64).int64_value(&[]);
    // sums of almost equal votes may fall to either side
    assert!(same >= 1098, "{same} of 1100");
    // more neighbours than a block has rows
    let all = Knn { k: 8000, ..knn };
    let few = queries.narrow(0, 0, 3);
    let own = knn_classes(&few, &bank, &labels, 7, all).unwrap();
    let (best, which) = few.matmul(&bank.tr()).topk(8000, 1, true, true);
    let classes = labels.index_select(0, &which.flatten(0, -1)).view_as(&which);
    let sums = Tensor::zeros([3, 7], (Kind::Float, Device::Cpu)).scatter_add(
        1,
        &classes,
        &(best / all.temperature).exp(),
    );
    assert_eq!(Vec::<i64>::try_from(&own).unwrap(), Vec::<i64>::try_from(&sums.argmax(1, false)).unwrap());
}
