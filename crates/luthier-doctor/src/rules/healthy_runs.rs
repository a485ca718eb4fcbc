//! Healthy runs that look sick: whatever rule has something to say of one must call it information.

use super::sample::*;
use crate::{Facts, Severity, judge};

/// Names of the rules that shout.
fn shouting(made: &Made, planned: bool) -> Vec<String> {
    let plan = plan();
    let facts = Facts { run: Some(&made.0), plan: planned.then_some(&plan), ..Facts::default() };
    let verdict = judge("run", &facts);
    let loud = verdict.findings.into_iter().filter(|finding| finding.severity > Severity::Info);
    loud.map(|finding| format!("{}: {:?}", finding.code, finding.evidence)).collect()
}

/// Four evaluations that get better, with the sampling error of a hundred samples.
fn better(made: Made, seed: u64) -> Made {
    let noisy = |accuracy: f64, n: u64| (accuracy + 0.03 * normal(n + 97 * seed)).clamp(0.0, 1.0);
    let evals: Vec<(f64, f64)> = (1..=4)
        .map(|n| (0.9 / n as f64 + 0.02 * normal(n + seed).abs(), noisy(0.6 + 0.09 * n as f64, n)))
        .collect();
    made.valid(&evals)
}

#[test]
fn healthy_runs_are_left_alone() {
    for seed in 0..40 {
        let n = |update: u64| update + 100_000 * seed;
        let falls = |update: u64| 0.02 + 2.28 * (-(update as f64) / 60.0).exp();
        for noise in [0.05, 0.2, 0.5, 1.0, 2.0] {
            let base = run(400, |update| falls(update) * (noise * normal(n(update))).exp());
            for ratio in [2e-4, 1e-3, 0.017] {
                let made = better(base.clone().norms(|update| (noise * normal(n(update) + 9)).exp()), seed);
                for planned in [false, true] {
                    let made = made.clone().looks(ratio);
                    assert_eq!(
                        shouting(&made, planned),
                        Vec::<String>::new(),
                        "noise {noise}, {ratio}, seed {seed}"
                    );
                }
            }
        }
        // a fifth of the labels is noise: a plateau far above 0
        let plateau = run(600, |update| 0.9 + falls(update) + 0.1 * normal(n(update)));
        assert_eq!(shouting(&better(plateau.looks(2e-3), seed), true), Vec::<String>::new(), "seed {seed}");
        // warm-up from nothing, and a pass over a corpus that ends while the loss still falls
        let corpus = run(800, |update| 6.0 - 0.4 * (update as f64).ln() + 0.05 * normal(n(update)));
        let corpus = corpus.warmup(40).looks_by(|update| 1e-3 * (update as f64 / 40.0).min(1.0));
        assert_eq!(shouting(&corpus, false), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn traps_are_left_alone() {
    // most of the network is frozen: what is looked at is the head
    let head = learning(200).looks_of(&[1, 2, 5, 50]).tensor("fc.weight", |_| (1.0, 0.2, 2e-3));
    assert_eq!(shouting(&head, true), Vec::<String>::new());
    // a loss that rises while the accuracy does, too
    let sure = learning(250).valid(&[(0.5, 0.80), (0.4, 0.85), (0.5, 0.86), (0.7, 0.86), (0.9, 0.87)]);
    assert_eq!(shouting(&sure, true), Vec::<String>::new());
    // a linear model on a task that is solved in no time, and goes on at a loss of next to nothing
    let solved = run(300, |update| 1e-5 + 0.7 * (-(update as f64)).exp());
    assert_eq!(
        shouting(&solved.looks(1e-2).valid(&[(1e-5, 1.0), (1.1e-5, 1.0), (1.2e-5, 1.0)]), false),
        Vec::<String>::new()
    );
    // fine-tuning that begins where it ends
    let there = run(300, |update| 0.05 * (0.5 * normal(update)).exp()).looks(1e-3).valid(&[(0.05, 0.98); 1]);
    assert_eq!(shouting(&there, true), Vec::<String>::new());
}

#[test]
fn runs_of_nothing_and_of_one_step() {
    for updates in [0, 1, 2, 5] {
        for made in [learning(updates), flat(updates).killed(), flat(updates).looks(0.5)] {
            for planned in [false, true] {
                assert_eq!(shouting(&made, planned), Vec::<String>::new(), "{updates} updates");
            }
        }
    }
}
