//! # FIN008 heads-swapped
//!
//! ## What it finds
//! Two heads that learn each other's column.
//!
//! ## Why it hurts
//! Each head learns well, and its answers are told under the other's name: who uses the model takes the one for the
//! other. Where the two have as many classes, no shape and no loss says so.
//!
//! ## How it is measured
//! The recipe: `column` of the one is the name of the other, and the other way round.
//!
//! ## Example
//! ```toml
//! [model.heads]
//! yaw = { column = "pitch" }
//! pitch = { column = "yaw" }
//! ```
//!
//! ## Fix
//! Leave `column` out: a head learns the column of its own name.
//!
//! ## When it is wrong
//! When the file's columns are swapped and the recipe puts that right. Columns that are swapped in the file alone can be
//! seen by nobody who has only the file: both heads are then as good as ever.
//!
//! ## Source
//! Case F20 of the doctor's collection: the wrong head for a task.

use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN008",
    name: "heads-swapped",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("heads_swapped.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let heads = &plan.recipe.model.heads;
    let mut found = Vec::new();
    for (at, (one, head)) in heads.iter().enumerate() {
        let column = head.column(one);
        let other = heads.iter().skip(at + 1).find(|(other, _)| other.as_str() == column);
        let Some((other, theirs)) = other.filter(|(name, theirs)| theirs.column(name) == one) else {
            continue;
        };
        let (key, their_key) = (format!("model.heads.{one}.column"), format!("model.heads.{other}.column"));
        found.push(
            rule.finding()
                .at(&key)
                .weigh(Severity::Warning, 0.85)
                .evidence(format!(
                    "the head `{one}` learns the column `{column}`, and `{other}` learns `{}`",
                    theirs.column(other)
                ))
                .because(
                    "each head's answers are told under the other's name",
                    "the columns of the attributes' file are swapped, and the recipe puts that right",
                )
                .fix(
                    "let each head learn the column of its own name",
                    [(key.as_str(), json!(one)), (their_key.as_str(), json!(other))],
                ),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Heads as written.
    fn look_at(heads: serde_json::Value) -> Vec<Finding> {
        let mut plan = Subject::new(PICTURES, &[], &World::default()).plan;
        plan.recipe.model.heads = serde_json::from_value(heads).unwrap();
        look(&RULE, &Facts { plan: Some(&plan), ..Facts::default() })
    }

    #[test]
    fn each_learns_its_own_column() {
        let swapped =
            look_at(json!({ "pitch": { "column": "yaw" }, "hue": {}, "yaw": { "column": "pitch" } }));
        assert_eq!(swapped.len(), 1);
        let patch = &swapped[0].fix.as_ref().unwrap().patch;
        assert_eq!(patch["model.heads.yaw.column"], "yaw");
        assert_eq!(patch["model.heads.pitch.column"], "pitch");
        assert!(look_at(json!({ "yaw": {}, "pitch": {} })).is_empty());
        // other names for columns, and `class` for the classifier
        assert!(look_at(json!({ "yaw": { "column": "pitch" }, "turn": { "column": "yaw" } })).is_empty());
        assert!(look_at(json!({ "classifier": {}, "yaw": { "column": "angle" } })).is_empty());
    }
}
