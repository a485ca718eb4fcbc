//! # NRM003 norm-at-output
//!
//! ## What it finds
//! A normalisation behind the last linear layer, or a LayerNorm over a single number.
//!
//! ## Why it hurts
//! LayerNorm takes the mean of the outputs away and divides by their deviation. Of one output nothing is left: it is
//! the bias, whatever came in. Of several, their sum and their size are fixed, which targets of a regression are not.
//!
//! ## How it is measured
//! The layers of the recipe, from the last one back, and the width that each LayerNorm is given.
//!
//! ## Example
//! ```toml
//! layers = [{ linear = 64 }, { act = "relu" }, { linear = "targets" }, { layer_norm = true }]
//! ```
//!
//! ## Fix
//! Leave it out.
//!
//! ## When it is wrong
//! For embeddings, which are normalised on purpose; and behind the logits of many classes it only slows down.
//!
//! ## Source
//! Ba, Kiros and Hinton, Layer Normalization (2016): it normalises hidden units.

use luthier_recipe::{LayerKind, Task, Width};
use serde_json::json;

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "NRM003",
    name: "norm-at-output",
    category: Category::Normalization,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("at_output.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(stack) = Stack::of(plan) else { return Vec::new() };
    let Some(last) = stack.weighted().last().copied() else { return Vec::new() };
    let outputs = match stack.steps[last].kind {
        LayerKind::Linear { width: Width::Outputs(width), .. } => width,
        LayerKind::Linear { .. } if plan.recipe.task == Task::Regression => {
            plan.table.as_ref().map_or(1, |table| table.targets.len() as u64)
        }
        LayerKind::Linear { .. } => plan.data.classes.len() as u64,
        _ => return Vec::new(),
    };
    let behind = stack.steps[last..]
        .iter()
        .find(|step| matches!(step.kind, LayerKind::LayerNorm | LayerKind::BatchNorm));
    let Some(step) = behind else { return Vec::new() };
    let layer_norm = matches!(step.kind, LayerKind::LayerNorm);
    let nothing = layer_norm && outputs == 1;
    if !(nothing || plan.recipe.task == Task::Regression) {
        return Vec::new();
    }
    let name = if layer_norm { "layer_norm" } else { "batch_norm" };
    let finding = rule
        .finding()
        .at(format!("model.layers[{}]", step.index))
        .weigh(if nothing { Severity::Error } else { Severity::Warning }, if nothing { 0.99 } else { 0.7 })
        .evidence(format!("`{name}` stands behind the last linear layer, of {outputs} outputs"))
        .because(
            if nothing {
                "one number, less its mean, is 0: the output is the same for every sample"
            } else {
                "size and sum of the outputs are fixed, whatever the targets are"
            },
            "the output of the trained model differs between samples as the targets do",
        );
    let layers = plan.recipe.model.layers.as_deref().unwrap_or_default();
    let kept: Vec<_> =
        layers.iter().enumerate().filter(|(at, _)| *at != step.index).map(|(_, layer)| layer).collect();
    vec![finding.fix("leave it out", [("model.layers", json!(kept))])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_norm_behind_the_last_layer_is_found() {
        let world = World::default();
        let with =
            |text: &str, layers: &str| severity(&RULE, text, &[&format!("model.layers=[{layers}]")], &world);
        let one = "{linear=8},{act=\"relu\"},{linear=\"targets\"},{layer_norm=true}";
        assert_eq!(with(NUMBERS, one), Some(Severity::Error));
        assert_eq!(with(NUMBERS, &one.replace("layer_norm", "batch_norm")), Some(Severity::Warning));
        assert_eq!(with(NUMBERS, "{linear=8},{layer_norm=true},{act=\"relu\"},{linear=\"targets\"}"), None);
        let classes = one.replace("targets", "classes");
        assert_eq!(with(TABLE, &classes), None, "three classes, slower and no more");
    }
}
