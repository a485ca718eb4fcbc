//! # ACT004 two-activations
//!
//! ## What it finds
//! Two activations in a row.
//!
//! ## Why it hurts
//! A sigmoid of a ReLU is never below 1/2, a ReLU of a ReLU is the same ReLU: at best the second does nothing, at
//! worst half of its range is lost.
//!
//! ## How it is measured
//! From the layers, and `output` behind a last `act`.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = 64 }, { act = "relu" }, { act = "sigmoid" }, { linear = 10 }]
//! ```
//!
//! ## Fix
//! Leave one out.
//!
//! ## When it is wrong
//! When the pair is meant, such as a bounded ReLU.
//!
//! ## Source
//! NeuraLint has the same rule over graphs.

use luthier_recipe::{Act, LayerKind};
use serde_json::json;

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "ACT004",
    name: "two-activations",
    category: Category::Activation,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("doubled.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(stack) = facts.plan.and_then(Stack::of) else { return Vec::new() };
    let acts: Vec<(String, Option<Act>, serde_json::Value)> = stack
        .steps
        .iter()
        // dropout scales, and does not stand between
        .filter(|step| !matches!(step.kind, LayerKind::Dropout(_)))
        .map(|step| match step.kind {
            LayerKind::Act(act) => {
                (format!("model.layers[{}].act", step.index), Some(act), json!("identity"))
            }
            _ => (String::new(), None, json!(null)),
        })
        .chain([("model.output".into(), stack.output.act(), json!("none"))])
        .collect();
    let real = |act: Option<Act>| act.is_some_and(|act| act != Act::Identity);
    let Some(pair) = acts.windows(2).find(|pair| real(pair[0].1) && real(pair[1].1)) else {
        return Vec::new();
    };
    let [(_, Some(first), _), (key, Some(second), none)] = pair else { return Vec::new() };
    let name = |act: Act| format!("{act:?}").to_lowercase();
    let harmless = first == second && *first == Act::Relu;
    let finding = rule
        .finding()
        .at(key.clone())
        .weigh(if harmless { Severity::Info } else { Severity::Warning }, 0.8)
        .evidence(format!("`{}` stands directly behind `{}`", name(*second), name(*first)))
        .because(
            "the second activation sees only what the first lets through, and loses part of its range",
            "the run without the second is no better",
        )
        .fix("leave the second out", [(key.as_str(), none.clone())]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn two_in_a_row_are_found_also_at_the_end() {
        let world = World::default();
        let inside = "model.layers=[{linear=8},{act=\"relu\"},{act=\"sigmoid\"},{linear=\"classes\"}]";
        assert_eq!(found(&RULE, TABLE, &[inside], &world).place, "model.layers[2].act");
        let end = [
            "model.layers=[{linear=8},{act=\"relu\"},{linear=\"targets\"},{act=\"relu\"}]",
            "model.output=sigmoid",
        ];
        assert_eq!(found(&RULE, NUMBERS, &end, &world).place, "model.output");
        let same = "model.layers=[{linear=8},{act=\"relu\"},{act=\"relu\"},{linear=\"classes\"}]";
        assert_eq!(severity(&RULE, TABLE, &[same], &world), Some(Severity::Info));
        assert_eq!(severity(&RULE, TABLE, &["model.output=softmax"], &world), None);
    }
}
