//! Limits that schemars' `range` can't say: bounds that are themselves left out.

use schemars::Schema;
use serde_json::Value;

/// x > 0
pub(super) fn positive(schema: &mut Schema) {
    schema.insert("exclusiveMinimum".into(), 0.into());
}

/// x > 1
pub(super) fn above_one(schema: &mut Schema) {
    schema.insert("exclusiveMinimum".into(), 1.into());
}

/// 0 ≤ x < 1
pub(super) fn below_one(schema: &mut Schema) {
    schema.insert("minimum".into(), 0.into());
    schema.insert("exclusiveMaximum".into(), 1.into());
}

/// 0 < x < 1
pub(super) fn inside(schema: &mut Schema) {
    schema.insert("exclusiveMinimum".into(), 0.into());
    schema.insert("exclusiveMaximum".into(), 1.into());
}

/// Every entry > 0
pub(super) fn each_positive(schema: &mut Schema) {
    each(schema, positive);
}

/// Every entry in [0, 1)
pub(super) fn each_below_one(schema: &mut Schema) {
    each(schema, below_one);
}

fn each(schema: &mut Schema, limit: fn(&mut Schema)) {
    if let Some(items) = schema.get_mut("items").map(Value::take)
        && let Ok(mut items) = Schema::try_from(items)
    {
        limit(&mut items);
        schema.insert("items".into(), items.to_value());
    }
}
