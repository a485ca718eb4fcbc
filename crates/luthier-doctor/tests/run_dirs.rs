//! Run directories that are not as they should be: the doctor says what it could not see, and judges the rest.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::fs;

use luthier_doctor::{Facts, RunFacts, Severity, Verdict, judge};
use luthier_track::RunDir;
use serde_json::json;

fn step(update: u64, loss: f64) -> String {
    json!({
        "event": "step", "update": update, "epoch": 0, "samples": 4 * update, "epochs": 0.01 * update as f64,
        "loss": loss, "correct": 2, "count": 4, "lr": [0.1], "grad_norm": 1.0, "clipped": false,
    })
    .to_string()
}

/// Reads a run whose `metrics.jsonl` is this, and judges it.
fn judged(metrics: &str, monitor: &str) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create_at(&folder.path().join("run")).unwrap();
    fs::write(run.metrics_path(), metrics).unwrap();
    fs::write(run.monitor_path(), monitor).unwrap();
    let facts = RunFacts::read(&run).unwrap();
    judge("run", &Facts { run: Some(&facts), ..Facts::default() })
}

fn says(verdict: &Verdict, what: &str) {
    assert!(verdict.unseen.iter().any(|sentence| sentence.contains(what)), "{what}: {:?}", verdict.unseen);
}

fn is_calm(verdict: &Verdict) {
    let loud: Vec<_> = verdict.findings.iter().filter(|finding| finding.severity > Severity::Info).collect();
    assert!(loud.is_empty(), "{loud:?}");
}

#[test]
fn a_run_cut_in_the_middle_of_a_line() {
    let lines: Vec<String> = (1..=30).map(|n| step(n, 2.0 / n as f64)).collect();
    let whole = lines.join("\n");
    let verdict = judged(&whole[..whole.len() - 40], "{\"update\":1,\"tensors\":[]}\n{\"upd");
    says(&verdict, "line 30 of `metrics.jsonl` is cut off");
    says(&verdict, "line 2 of `monitor.jsonl` is cut off");
    assert!(verdict.findings.iter().any(|finding| finding.name == "interrupted"));
    is_calm(&verdict);
}

#[test]
fn gaps_one_step_no_validation_no_checkpoint() {
    let lines: Vec<String> =
        (1..=60).filter(|n| !(31..=40).contains(n)).map(|n| step(n, 2.0 / n as f64)).collect();
    let verdict = judged(&lines.join("\n"), "");
    says(&verdict, "updates 31 to 40 are missing");
    says(&verdict, "never evaluated");
    says(&verdict, "no checkpoint");
    says(&verdict, "no tensor was looked at");
    is_calm(&verdict);
    let verdict = judged(&step(1, 2.0), "");
    says(&verdict, "the run has 1 update");
    is_calm(&verdict);
    is_calm(&judged("", ""));
}
