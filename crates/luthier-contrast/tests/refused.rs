//! Bad input, and the sentence it gets.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::*;
use luthier_contrast::*;
use tch::{Device, Kind, Tensor};

#[track_caller]
fn refuses<T>(result: Result<T, ContrastError>, part: &str) {
    let Err(error) = result else { panic!("nothing refused; expected: {part}") };
    let text = error.to_string();
    assert!(text.contains(part), "`{text}` says nothing of `{part}`");
    assert!(!text.contains('\n'), "one sentence: {text}");
    let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
    assert!(help.is_some_and(|help| !help.is_empty()), "{text}: no way out");
}

#[test]
fn objectives() {
    let (q, labels) = (directions(4, 8), Tensor::from_slice(&[0i64, 0, 1, 1]));
    for at in [0.0, -1.0, f64::NAN] {
        refuses(info_nce(&q, &q, &q, Negatives::Queue, at), "temperature");
        refuses(sup_con(&q, &labels, at), "temperature");
    }
    let one = directions(1, 8);
    refuses(info_nce(&one, &one, &q, Negatives::Queue, 0.1), "a batch of 1 ");
    refuses(sup_con(&one, &labels.narrow(0, 0, 1), 0.1), "a batch of 1 ");
    refuses(batch_hard_triplet(&one, &labels.narrow(0, 0, 1), Margin::Soft), "a batch of 1 ");
    refuses(info_nce(&q, &directions(3, 8), &q, Negatives::Queue, 0.1), "keys are 3 rows of 8");
    refuses(info_nce(&q, &q, &directions(3, 9), Negatives::Queue, 0.1), "queue's keys are 3 rows of 9");
    refuses(info_nce(&q.view([-1]), &q, &q, Negatives::Queue, 0.1), "of shape [32]");
    refuses(sup_con(&q, &Tensor::from_slice(&[0i64, 1, 2, 3]), 0.1), "no two samples");
    refuses(sup_con(&q, &labels.narrow(0, 0, 3), 0.1), "labels of shape [3] for 4 rows");
    refuses(batch_hard_triplet(&q, &labels.zeros_like(), Margin::Soft), "no sample of the batch has both");
    refuses(batch_hard_triplet(&q, &labels, Margin::Hinge(-1.0)), "a margin of -1");
    refuses(follow(&[q.copy()], &[], 0.9), "1 parameters of the key encoder for 0");
    refuses(follow(&[q.copy()], &[q.copy()], 1.5), "momentum of 1.5");
}

#[test]
fn queues() {
    let cpu = Device::Cpu;
    refuses(Queue::new(100, 8, 32, 0, cpu), "a queue of 100 keys is no multiple of the batch of 32");
    refuses(Queue::new(0, 8, 32, 0, cpu), "holds nothing");
    let mut queue = Queue::new(4, 8, 4, 0, cpu).unwrap();
    refuses(queue.enqueue(&directions(5, 8)), "5 keys for a queue of 4");
    refuses(queue.enqueue(&directions(4, 7)), "keys are 4 rows of 7");
    refuses(queue.restore(&directions(8, 8), 0), "the checkpoint's keys are 8 rows");
    refuses(queue.restore(&directions(4, 8), 4), "goes on at key 4 of 4");
}

#[test]
fn clusters() {
    let rows = directions(5, 8);
    let options = KMeans { iterations: 3, spherical: false };
    refuses(plus_plus(&rows, 6, 0), "6 clusters of 5 samples");
    refuses(kmeans(&rows, &directions(6, 8), options), "6 clusters of 5 samples");
    refuses(kmeans(&rows, &directions(2, 7), options), "initial centres are 2 rows of 7");
    refuses(plus_plus(&rows, 0, 0), "0 clusters");
    let broken = rows.copy();
    let _ = broken.narrow(0, 3, 1).fill_(f64::NAN);
    refuses(kmeans(&broken, &directions(2, 8), options), "row 3 holds numbers that are not finite");
    refuses(concentrations(&[0], &[], 2, Concentration::default()), "not those of these clusters");
    refuses(concentrations(&[2], &[0.0], 2, Concentration::default()), "not those of these clusters");
    let cold = Concentration { temperature: 0.0, ..Concentration::default() };
    refuses(concentrations(&[0], &[0.0], 2, cold), "temperature of 0");
}

#[test]
fn prototypes() {
    let prototypes = Prototypes {
        centres: directions(1, 8),
        concentration: Tensor::ones([1], (Kind::Float, Device::Cpu)),
        assignment: vec![0; 4],
    };
    refuses(draw_negatives(&prototypes, &[4], 3, 0, 0, 0), "sample 4 has no cluster");
    let drawn = draw_negatives(&prototypes, &[0, 1], 3, 0, 0, 0).unwrap();
    refuses(proto_nce(&directions(2, 8), &[(&prototypes, &drawn)]), "all samples are in one cluster");
    refuses(proto_nce(&directions(3, 8), &[(&prototypes, &drawn)]), "3 queries came");
    refuses(proto_nce(&directions(3, 8), &[]), "no prototypes yet");
}

#[test]
fn judges() {
    let (rows, labels) = (directions(4, 8), Tensor::from_slice(&[0i64, 0, 1, 1]));
    refuses(knn_classes(&rows, &rows, &labels, 1, Knn::default()), "a label is not one of 1 classes");
    refuses(knn_classes(&rows, &rows, &labels, 2, Knn { k: 0, ..Knn::default() }), "0 neighbours");
    refuses(knn_classes(&rows, &rows, &labels, 2, Knn { temperature: 0.0, ..Knn::default() }), "temperature");
    refuses(linear_probe(&rows, &labels, 1, LinearProbe::default()), "not of 1 classes");
    refuses(linear_probe(&(&rows * f64::NAN), &labels, 2, LinearProbe::default()), "not finite");
    refuses(spread(&directions(1, 8)), "a batch of 1");
}
