//! What goes into the network.

pub(super) mod bad_input;
pub(super) mod box_corners;
pub(super) mod constant_column;
pub(super) mod left_out;
pub(super) mod normalize_differs;
pub(super) mod normalize_unit;
pub(super) mod not_finite;
pub(super) mod odd_batch;
pub(super) mod random_eval;
pub(super) mod rows_in_both;
pub(super) mod sorted;
pub(super) mod split_overlap;
pub(super) mod texts_cut;
pub(super) mod unscaled_features;
pub(super) mod unscaled_target;

use luthier_plan::Plan;
use serde_json::json;

use crate::Finding;

/// A finding about validation samples that are trained on, with the cure where the recipe names them itself.
fn held_out(finding: Finding, plan: &Plan) -> Finding {
    if plan.recipe.data.valid.is_none() || plan.recipe.data.split.is_some() {
        return finding;
    }
    finding.fix(
        "hold out a fifth of the training samples",
        [("data.valid", json!(null)), ("data.split", json!({ "valid": 0.2 }))],
    )
}
