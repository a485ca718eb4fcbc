//! Probes of small text models, where what they measure is known.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::{TEXTS, probed};
use luthier_doctor::ProbeFacts;

fn skipped(facts: &ProbeFacts) -> Vec<&str> {
    facts.skipped.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_healthy_decoder() {
    let facts = probed(TEXTS, &[]);
    // what is about numbers, and nothing else
    assert_eq!(skipped(&facts), ["relation", "inputs", "eval_inputs", "views"], "{:?}", facts.skipped);
    assert_eq!(facts.seconds.len(), 18);
    assert_eq!(facts.targets.unwrap().counts, [30, 30]);

    let start = facts.start.unwrap();
    assert!((start.expected.unwrap() - 2f64.ln()).abs() < 1e-12);
    assert!((start.loss - start.expected.unwrap()).abs() < 0.1, "{}", start.loss);
    // nothing is random and nothing is normalised by the batch
    assert_eq!(start.loss, start.eval_loss);
    let names: Vec<(&str, &str)> =
        start.outputs.iter().map(|point| (point.name.as_str(), point.kind.as_str())).collect();
    assert_eq!(
        names,
        [
            ("embeddings", "block"),
            ("h.0.relu1", "relu"),
            ("h.0", "block"),
            ("h.1.relu1", "relu"),
            ("h.1", "block"),
            ("head", "output")
        ]
    );
    assert!(start.gradients.iter().all(|point| point.norm > 0.0 || !point.name.ends_with("weight")));
    assert!(start.twins.iter().all(|(_, cosine)| *cosine < 0.99), "{:?}", start.twins);

    assert_eq!(facts.steps.len(), 5);
    assert!(facts.steps.iter().all(|step| step.lr == [0.003] && step.ratio > 0.0 && !step.clipped));
    // Adam's first update moves every number by the rate
    let norm = &facts.steps[0].tensors.iter().find(|point| point.name == "ln_f.weight").unwrap();
    assert!((norm.update - 0.003 * 4.0).abs() < 1e-4, "{}", norm.update);
    assert!(facts.stuck.is_empty() && facts.drifted.is_empty() && facts.drifted_buffers.is_empty());

    let repeat = facts.repeat.unwrap();
    assert_eq!(repeat.losses[0], repeat.losses[1]);
    assert_eq!(repeat.training[0], repeat.training[1]);
    assert!(facts.rows.unwrap() < 1e-4);
    assert!(facts.future.unwrap() < 1e-5, "{:?}", facts.future);
    assert!(facts.padding.unwrap() < 1e-4, "{:?}", facts.padding);
    assert!(facts.positions.unwrap() > 1e-3, "{:?}", facts.positions);

    let sign = facts.sign.unwrap();
    let fell = sign.after - sign.before;
    assert!((fell / sign.expected - 1.0).abs() < 0.2, "{sign:?}");
    let reduction = facts.reduction.unwrap();
    assert_eq!(reduction.sizes, [4, 16]);
    assert!((reduction.losses[1] / reduction.losses[0] - 1.0).abs() < 1e-4);
    assert!((reduction.grads[1] / reduction.grads[0] - 1.0).abs() < 1e-3);

    let overfit = facts.overfit.unwrap();
    assert!(overfit.own && overfit.score == 1.0, "{overfit:?}");
    let zeroed = facts.zeroed.unwrap();
    assert!(zeroed.zeroed > 5.0 * zeroed.real, "{zeroed:?}");
    let permuted = facts.permuted.unwrap();
    assert!(permuted.truth > 0.9, "{permuted:?}");
    assert!(permuted.truth - permuted.permuted > 2.0 * permuted.noise, "{permuted:?}");
}

#[test]
fn labels_that_do_not_belong_to_their_texts_gain_nothing() {
    let folder = common::folder();
    // the classes are dealt out, whatever the words
    let dealt = luthier_data::epoch_order(80, 1, 0, true);
    let rows: String = std::fs::read_to_string(folder.join("texts.tsv"))
        .unwrap()
        .lines()
        .enumerate()
        .map(|(row, line)| {
            let class = if dealt[row].is_multiple_of(2) { "spam" } else { "ham" };
            format!("{class}\t{}\n", line.split_once('\t').unwrap().1)
        })
        .collect();
    std::fs::write(folder.join("mixed.tsv"), rows).unwrap();
    let permuted = probed(TEXTS, &["data.path=mixed.tsv"]).permuted.unwrap();
    assert!(permuted.truth - permuted.permuted < 2.0 * permuted.noise.max(0.05), "{permuted:?}");
}

#[test]
fn dropout_is_random_in_training_alone() {
    let facts = probed(TEXTS, &["model.config=noisy.json"]);
    let repeat = facts.repeat.unwrap();
    assert_eq!(repeat.losses[0], repeat.losses[1]);
    assert!((repeat.training[0] - repeat.training[1]).abs() > 1e-6, "{repeat:?}");
}

#[test]
fn an_encoder_sees_the_future() {
    let facts = probed(TEXTS, &["model.arch=bert", "model.config=bert.json"]);
    assert!(facts.future.unwrap() > 1e-3);
    assert!(facts.padding.unwrap() < 1e-4);
}

#[test]
fn frozen_tensors_neither_move_nor_count_as_stuck() {
    let facts = probed(TEXTS, &["model.train=[\"h.1.*\", \"ln_f.*\", \"score.*\"]"]);
    let start = facts.start.unwrap();
    assert!(
        start.gradients.iter().all(|point| !point.name.starts_with("h.0") && !point.name.starts_with("w"))
    );
    assert!(facts.stuck.is_empty() && facts.drifted.is_empty());
}

#[test]
fn what_gets_no_gradient_is_stuck() {
    // rows of the table of positions that no text reaches do not move, but the table does
    let facts = probed(TEXTS, &["optim.type=SGD", "optim.lr=1e-30"]);
    // the rate is not zero, and too small to change a number
    assert!(facts.stuck.iter().any(|name| name == "ln_f.weight"), "{:?}", facts.stuck);
    let overfit = facts.overfit.unwrap();
    assert!(!overfit.own && overfit.score == 1.0, "the second opinion learns it");
    let own = facts.overfit_own.unwrap();
    assert!(own.own && own.losses.last().unwrap() > &0.5);
}

#[test]
fn curvature_of_a_convex_head_lies_between_its_bounds() {
    // a linear layer and cross-entropy: with p the probabilities, the curvature is at most half the largest eigenvalue
    // of the features' second moment, and positive
    let facts = probed(TEXTS, &["model.train=[\"score.*\"]"]);
    let found = facts.curvature.unwrap();
    // features are normalised: 16 numbers of variance 1, so that the second moment's trace is 16
    assert!(found > 0.05 && found <= 8.0, "{found}");
}

#[test]
fn a_budget_of_nothing_names_what_was_left_out() {
    let _alone = common::alone();
    let prepared = common::prepared(TEXTS, &[]);
    let (facts, _) = luthier_probe::probe(prepared, std::time::Duration::ZERO).unwrap();
    assert_eq!(facts.skipped.len(), 18);
    assert!(facts.skipped.iter().all(|(_, why)| why.contains("budget")));
}
