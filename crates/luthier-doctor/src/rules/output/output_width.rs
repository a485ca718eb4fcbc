//! # OUT005 output-width
//!
//! ## What it finds
//! A last layer that has not as many outputs as there are classes or targets.
//!
//! ## Why it hurts
//! With one output too few a class can never be predicted; cross-entropy over one output is 0 for every sample and has
//! no gradient; outputs without a class only learn to be small.
//!
//! ## How it is measured
//! From the plan: outputs of the last layer beside the classes of the data. One output may stand for two classes where
//! the loss is no softmax.
//!
//! ## Example
//! ```toml
//! layers = [{ linear = 64 }, { act = "relu" }, { linear = 9 }]   # the data have ten classes
//! ```
//!
//! ## Fix
//! `linear = "classes"` or `linear = "targets"`.
//!
//! ## When it is wrong
//! Spare outputs do no harm when classes are to be added later; they are `info`.
//!
//! ## Source
//! The definition of `torch.nn.CrossEntropyLoss`.

use luthier_recipe::{LayerKind, Loss, Task};
use serde_json::json;

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OUT005",
    name: "output-width",
    category: Category::Output,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("output_width.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some((stack, outputs)) = Stack::of(plan).and_then(|stack| Some((stack.clone(), stack.outputs()?)))
    else {
        return Vec::new();
    };
    let regression = plan.recipe.task == Task::Regression;
    let (wanted, word) = if regression {
        (plan.table.as_ref().map_or(outputs, |table| table.targets.len() as u64), "targets")
    } else {
        (plan.data.classes.len() as u64, "classes")
    };
    let softmax = matches!(plan.recipe.loss, Loss::CrossEntropy { .. });
    let one_for_two = outputs == 1 && wanted <= 2 && !softmax && !regression;
    if outputs == wanted && !(softmax && outputs == 1) || one_for_two || wanted == 0 {
        return Vec::new();
    }
    let last = stack.steps.iter().rev().find(|step| matches!(step.kind, LayerKind::Linear { .. }));
    let key = last.map_or("model.layers".to_owned(), |step| format!("model.layers[{}].linear", step.index));
    let spare = outputs > wanted && !regression;
    let finding = rule
        .finding()
        .at(key.clone())
        .weigh(if spare { Severity::Info } else { Severity::Error }, 0.99)
        .evidence(format!("the last layer has {outputs} outputs, and the data have {wanted} {word}"))
        .because(
            if outputs == 1 && softmax {
                "cross-entropy over one output is 0 whatever the model answers, so nothing is learned"
            } else if spare {
                "outputs without a class only learn to be small"
            } else {
                "what has no output can never be predicted"
            },
            "the columns of the outputs do stand for other things than the data's",
        );
    vec![if outputs == wanted {
        finding
    } else {
        finding.fix(format!("one output for each of the {word}"), [(key.as_str(), json!(word))])
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn too_few_outputs_are_an_error_and_spare_ones_info() {
        let world = World::default();
        let rows = [
            ("1", Some(Severity::Error)),
            ("2", Some(Severity::Error)),
            ("3", None),
            ("4", Some(Severity::Info)),
        ];
        for (width, expected) in rows {
            assert_eq!(
                severity(&RULE, TABLE, &[&format!("model.layers[2].linear={width}")], &world),
                expected,
                "{width}"
            );
        }
        let two = World { targets: vec![column(0.0, 1.0, -3.0, 3.0); 2], ..world };
        assert_eq!(severity(&RULE, NUMBERS, &["model.layers[2].linear=1"], &two), Some(Severity::Error));
    }

    #[test]
    fn one_output_tells_two_classes_apart_but_not_by_softmax() {
        let two = World { counts: vec![50, 50], ..World::default() };
        let one = "model.layers[2].linear=1";
        assert_eq!(severity(&RULE, TABLE, &[one, "loss.type=bce"], &two), None);
        assert_eq!(severity(&RULE, TABLE, &[one, "loss.type=hinge"], &two), None);
        assert_eq!(severity(&RULE, TABLE, &[one], &two), Some(Severity::Error));
    }
}
