//! Triplets of either mining by every distance against PyTorch (fixtures/reference.py made the numbers), and what a batch's
//! classes make of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::*;
use luthier_contrast::*;
use tch::{Kind, Tensor};

#[test]
fn triplets_of_either_mining_by_every_distance() {
    let all = reference();
    let labels = integers(&all["labels"]);
    let rows = all["mined"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    for theirs in rows {
        let (mining, pairs) = match theirs["mining"].as_str().unwrap() {
            "batch-hard" => (Mining::BatchHard, Pairs::of(&labels, 1).with_both),
            _ => (Mining::SemiHard, Pairs::of(&labels, 1).ordered),
        };
        let distance = match theirs["distance"].as_str().unwrap() {
            "euclidean" => Distance::Euclidean,
            "squared-euclidean" => Distance::SquaredEuclidean,
            _ => Distance::Cosine,
        };
        let margin = theirs["margin"].as_f64().map_or(Margin::Soft, Margin::Hinge);
        let name = format!("{mining:?} {distance:?} {margin:?}");
        let embeddings = tensor(&all["q"]).set_requires_grad(true);
        let of = Tensor::from_slice(&labels);
        let found = triplet(&embeddings, &of, &TripletLoss { margin, mining, distance }).unwrap();
        found.loss.backward();
        close(value(&found.loss), &theirs["loss"], &name);
        close(found.active, &theirs["active"], &name);
        assert_eq!((found.count, pairs), (theirs["count"].as_u64().unwrap(), found.count), "{name}");
        same(&embeddings.grad(), &tensor(&theirs["grad"]), 1e-5, &name);
        assert_eq!(nearest_of_class(&embeddings, &of).unwrap(), theirs["right"].as_u64().unwrap(), "{name}");
    }
}

#[test]
fn what_the_classes_of_a_batch_make_of_it() {
    let rows: [(&[i64], u64, Pairs); 5] = [
        (&[0, 1, 2, 3], 1, Pairs::default()),
        (&[0, 1], 2, Pairs { with_positive: 4, with_both: 4, ordered: 4 }),
        // one class alone has no negatives
        (&[3, 3, 3], 1, Pairs { with_positive: 3, with_both: 0, ordered: 0 }),
        (&[0, 0, 1, 1, 1, 2], 1, Pairs { with_positive: 5, with_both: 5, ordered: 8 }),
        (&[], 1, Pairs::default()),
    ];
    for (labels, views, expected) in rows {
        assert_eq!(Pairs::of(labels, views), expected, "{labels:?} in {views} views");
    }
}

#[test]
fn one_point_costs_the_margin_and_has_no_neighbours() {
    let point = Tensor::ones([6, 4], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
    let labels = Tensor::from_slice(&[0i64, 0, 1, 1, 2, 2]);
    for mining in [Mining::BatchHard, Mining::SemiHard] {
        for distance in [Distance::Euclidean, Distance::SquaredEuclidean, Distance::Cosine] {
            let asked = TripletLoss { margin: Margin::Hinge(0.2), mining, distance };
            let found = triplet(&point, &labels, &asked).unwrap();
            assert!((value(&found.loss) - 0.2).abs() < 1e-5, "{asked:?}: {found:?}");
            assert!((found.active - 1.0).abs() < 1e-9);
            found.loss.backward();
            let slope = point.grad().abs().max().double_value(&[]);
            assert!(slope.is_finite() && slope < 1e-3, "{asked:?}: {slope}");
        }
    }
    assert_eq!(nearest_of_class(&normalize(&point).unwrap(), &labels).unwrap(), 0);
}
