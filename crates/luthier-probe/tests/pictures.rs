//! Probes of a network for pictures.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::{PICTURES, probed};

#[test]
fn a_healthy_residual_network() {
    let facts = probed(PICTURES, &[]);
    // on a slow machine the budget has no room for the dear ones; whatever was measured must be right
    let cheap = ["inputs", "start", "views", "rows", "repeat", "eval_inputs"];
    assert!(facts.skipped.iter().all(|(name, _)| !cheap.contains(&name.as_str())), "{:?}", facts.skipped);
    let inputs = facts.inputs.unwrap();
    assert_eq!(inputs.count, 16 * 32 * 32 * 3);
    assert_eq!((inputs.mean.len(), inputs.bad.len()), (3, 0));
    assert!(inputs.min >= -2.0 && inputs.max <= 2.0);
    let eval = facts.eval_inputs.unwrap();
    for (a, b) in inputs.mean.iter().zip(&eval.mean) {
        assert!((a - b).abs() < 0.5, "{a} and {b}");
    }
    assert!(facts.views.unwrap() > 0.0, "pictures are flipped at random");
    let start = facts.start.unwrap();
    assert_eq!(start.outputs.iter().filter(|point| point.kind == "relu").count(), 17);
    assert!(start.outputs.iter().all(|point| point.kind != "relu" || point.dead < 0.5));
    assert!(facts.rows.unwrap() < 1e-3, "{:?}", facts.rows);
    assert!(facts.drifted_buffers.is_empty() && facts.stuck.is_empty(), "{:?}", facts.stuck);
    if let Some(reduction) = facts.reduction {
        assert!((reduction.losses[1] / reduction.losses[0] - 1.0).abs() < 1e-3, "{reduction:?}");
    }
    // the largest eigenvalue of a network at its start may well be negative
    assert!(facts.curvature.is_none_or(|curvature| curvature.is_finite() && curvature != 0.0));
}

#[test]
fn without_random_augmentation_two_views_are_one() {
    let same = "data.transform.train=[{ op = \"Resize\", size = [32, 32] }, { op = \"Normalize\", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }]";
    assert_eq!(probed(PICTURES, &[same]).views, Some(0.0));
}

#[test]
fn statistics_of_frozen_layers_rest() {
    let facts = probed(PICTURES, &["model.freeze=[\"conv1.*\", \"bn1.*\", \"layer1.*\"]"]);
    assert!(facts.drifted.is_empty() && facts.drifted_buffers.is_empty());
}
