//! Everything against numpy and PyTorch (fixtures/reference.py made the numbers).

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::*;
use luthier_contrast::*;
use tch::{Device, Tensor};

#[test]
fn info_nce_and_its_accuracies() {
    let all = reference();
    let queries = tensor(&all["q"]).set_requires_grad(true);
    let contrast =
        info_nce(&queries, &tensor(&all["k"]), &tensor(&all["queue"]), Negatives::Queue, 0.2).unwrap();
    contrast.loss.backward();
    let theirs = &all["info_nce"];
    close(value(&contrast.loss), &theirs["loss"], "loss");
    same(&queries.grad(), &tensor(&theirs["grad"]), 1e-5, "gradient");
    close(top_k(&contrast.logits, &contrast.labels, 1).unwrap(), &theirs["top1"], "top-1");
    close(top_k(&contrast.logits, &contrast.labels, 5).unwrap(), &theirs["top5"], "top-5");
}

#[test]
fn proto_nce_over_two_granularities() {
    let all = reference();
    let theirs = &all["proto"];
    let queries = tensor(&all["q"]).set_requires_grad(true);
    let made: Vec<(Prototypes, Drawn)> = (0..2)
        .map(|at| {
            let prototypes = Prototypes {
                centres: tensor(&theirs["centres"][at]),
                concentration: tensor(&theirs["phi"][at]),
                assignment: integers(&theirs["assignment"][at]),
            };
            let batch: Vec<u32> = (0..8).collect();
            let drawn = draw_negatives(&prototypes, &batch, 3, 1, 2, at as u64).unwrap();
            assert_eq!(drawn.labels, integers(&theirs["labels"][at]), "places of the batch's clusters");
            (prototypes, Drawn { clusters: integers(&theirs["clusters"][at]), ..drawn })
        })
        .collect();
    let borrowed: Vec<_> = made.iter().map(|(prototypes, drawn)| (prototypes, drawn)).collect();
    let (loss, contrasts) = proto_nce(&queries, &borrowed).unwrap();
    assert_eq!(contrasts.len(), 2);
    loss.backward();
    close(value(&loss), &theirs["loss"], "loss");
    same(&queries.grad(), &tensor(&theirs["grad"]), 1e-5, "gradient");
}

#[test]
fn supervised_contrastive_loss() {
    let all = reference();
    let embeddings = tensor(&all["q"]).set_requires_grad(true);
    let loss = sup_con(&embeddings, &Tensor::from_slice(&integers(&all["labels"])), 0.1).unwrap();
    loss.backward();
    close(value(&loss), &all["sup_con"]["loss"], "loss");
    same(&embeddings.grad(), &tensor(&all["sup_con"]["grad"]), 1e-5, "gradient");
}

#[test]
fn batch_hard_triplets() {
    let all = reference();
    for (name, margin) in [("hinge", Margin::Hinge(0.3)), ("soft", Margin::Soft)] {
        let embeddings = tensor(&all["q"]).set_requires_grad(true);
        let labels = Tensor::from_slice(&integers(&all["labels"]));
        let found = batch_hard_triplet(&embeddings, &labels, margin).unwrap();
        found.loss.backward();
        let theirs = &all["triplet"][name];
        close(value(&found.loss), &theirs["loss"], name);
        close(found.active, &theirs["active"], name);
        same(&embeddings.grad(), &tensor(&theirs["grad"]), 1e-5, name);
    }
}

#[test]
fn the_queue_after_more_batches_than_it_holds_and_after_a_resume() {
    let all = reference();
    let theirs = &all["ring"];
    let batches: Vec<Tensor> = theirs["batches"].as_array().unwrap().iter().map(tensor).collect();
    let mut queue = Queue::new(24, 5, 4, 1, Device::Cpu).unwrap();
    let mut other = Queue::new(24, 5, 4, 2, Device::Cpu).unwrap();
    for (at, batch) in batches.iter().enumerate() {
        queue.enqueue(batch).unwrap();
        if at == 3 {
            let (keys, next) = queue.state();
            other.restore(&keys.copy(), next).unwrap();
        } else if at > 3 {
            other.enqueue(batch).unwrap();
        }
    }
    same(queue.keys(), &tensor(&theirs["keys"]), 1e-7, "keys");
    assert_eq!(queue.state().1, theirs["next"].as_i64().unwrap());
    same(other.keys(), queue.keys(), 1e-9, "resumed");
}

#[test]
fn the_key_encoder_follows() {
    let all = reference();
    let list =
        |name: &str| -> Vec<Tensor> { all["follow"][name].as_array().unwrap().iter().map(tensor).collect() };
    let keys = list("keys");
    follow(&keys, &list("queries"), 0.9).unwrap();
    for (ours, theirs) in keys.iter().zip(&list("after")) {
        same(ours, theirs, 1e-6, "after one step");
    }
}

#[test]
fn how_embeddings_lie() {
    let all = reference();
    let (q, k, x) = (tensor(&all["q"]), tensor(&all["k"]), tensor(&all["x"]));
    close(alignment(&q, &k).unwrap(), &all["geometry"]["alignment"], "alignment");
    close(uniformity(&q).unwrap(), &all["geometry"]["uniformity"], "uniformity");
    close(spread(&x).unwrap(), &all["geometry"]["spread"], "spread");
}

#[test]
fn votes_of_neighbours() {
    let all = reference();
    let labels = Tensor::from_slice(&integers(&all["bank_labels"]));
    let (queries, bank) = (tensor(&all["q"]), tensor(&all["sphere"]));
    for (name, knn) in [("few", Knn { k: 7, temperature: 0.1 }), ("all", Knn::default())] {
        let found = knn_classes(&queries, &bank, &labels, 3, knn).unwrap();
        assert_eq!(Vec::<i64>::try_from(&found).unwrap(), integers(&all["knn"][name]), "{name}");
        let own = knn_accuracy(&queries, &found, &bank, &labels, 3, knn).unwrap();
        assert_eq!(own, 1.0, "{name}");
    }
}

#[test]
fn clusters_from_the_same_centres() {
    let all = reference();
    let (x, sphere) = (tensor(&all["x"]), tensor(&all["sphere"]));
    let rows =
        [("plain", &x, tensor(&all["kmeans"]["start"])), ("spherical", &sphere, sphere.narrow(0, 0, 7))];
    for (name, rows, start) in rows {
        let options = KMeans { iterations: 20, spherical: name == "spherical" };
        let found = kmeans(rows, &start, options).unwrap();
        let theirs = &all["kmeans"][name];
        assert_eq!(found.assignment, integers(&theirs["labels"]), "{name}");
        same(&found.centres, &tensor(&theirs["centres"]), 1e-5, name);
        let inertia = theirs["inertia"].as_f64().unwrap();
        assert!((found.inertia / inertia - 1.0).abs() < 1e-5, "{name}: {} {inertia}", found.inertia);
        assert_eq!(found.iterations, theirs["rounds"].as_u64().unwrap(), "{name}");
        assert_eq!(found.repaired, theirs["repaired"].as_u64().unwrap(), "{name}");
        let squared = numbers(&theirs["distances"]);
        for (ours, theirs) in found.squared_distances.iter().zip(squared) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-5, "{name}: {ours} {theirs}");
        }
    }
}

#[test]
fn how_dense_clusters_are() {
    let all = reference();
    let plain = &all["kmeans"]["plain"];
    let squared: Vec<f32> = numbers(&plain["distances"]).into_iter().map(|one| one as f32).collect();
    let numbers_of = Concentration::default();
    let found = concentrations(&integers(&plain["labels"]), &squared, 7, numbers_of).unwrap();
    for (ours, theirs) in found.iter().zip(numbers(&all["concentrations"])) {
        assert!((f64::from(*ours) - theirs).abs() < 1e-6, "{ours} {theirs}");
    }
}

#[test]
fn a_linear_probe_finds_the_one_minimum() {
    let all = reference();
    let (features, labels) = (tensor(&all["shifted"]), Tensor::from_slice(&integers(&all["bank_labels"])));
    let probe =
        linear_probe(&features, &labels, 3, LinearProbe { l2: 0.01, ..LinearProbe::default() }).unwrap();
    let theirs = &all["probe"];
    close(probe.loss, &theirs["loss"], "loss");
    same(&probe.weights.narrow(0, 0, 5), &tensor(&theirs["weights"]), 2e-3, "weights");
    close(probe.accuracy(&features, &labels).unwrap(), &theirs["accuracy"], "accuracy");
}
