//! # OUT002 output-range
//!
//! ## What it finds
//! Targets that the model's last activation cannot give: negative ones behind a ReLU, ones above 1 behind a sigmoid.
//!
//! ## Why it hurts
//! The loss cannot fall below the mean squared distance of the targets from what the activation can reach, and where it
//! is flat there is no gradient either: behind a ReLU all predictions end up 0, behind a sigmoid all end up 1.
//!
//! ## How it is measured
//! The interval of the last activation beside the smallest and largest target of the training rows, after scaling. It is
//! an error when targets lie outside by more than half their standard deviation, a warning from a twentieth.
//!
//! ## Example
//! ```toml
//! [data]
//! scale_target = "standardize"   # about half of all targets are negative
//! [model]
//! output = "relu"
//! ```
//!
//! ## Fix
//! No output activation; or `scale_target = "minmax"`, which puts targets into [0, 1], where a sigmoid is wanted.
//!
//! ## When it is wrong
//! When the targets outside are outliers that the model should not follow.
//!
//! ## Source
//! The ranges are the activations' definitions; mean((y − clamp(y))²) bounds the loss from below.

use luthier_recipe::{Act, Task};

use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "OUT002",
    name: "output-range",
    category: Category::Output,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("output_range.rs"),
    look,
};

/// Distance outside the range, in standard deviations of the target, that is an error: a good share of a bell-shaped
/// target is then out of reach.
const FAR: f64 = 0.5;
/// The same for a warning. Nearer is the rounding of a range.
const NEAR: f64 = 0.05;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.recipe.task == Task::Regression) else {
        return Vec::new();
    };
    let (Some(stack), Some(table)) = (Stack::of(plan), &plan.table) else { return Vec::new() };
    let Some((act, [low, high])) = stack.last_act().and_then(|act| Some((act, range(act)?))) else {
        return Vec::new();
    };
    let beyond = |target: &luthier_plan::TargetPlan| {
        let (a, b) = (target.scale.apply(target.stats.min), target.scale.apply(target.stats.max));
        let std = target.stats.std / target.scale.divisor.abs();
        ((low - a.min(b)).max(a.max(b) - high) / std.max(f64::MIN_POSITIVE), a.min(b), a.max(b))
    };
    let worst = table.targets.iter().filter(|target| target.stats.std > 0.0).map(|t| (t, beyond(t)));
    let Some((target, (far, min, max))) = worst.max_by(|a, b| a.1.0.total_cmp(&b.1.0)) else {
        return Vec::new();
    };
    if far < NEAR {
        return Vec::new();
    }
    let (key, none) = stack.last_act_key();
    let name = format!("{act:?}").to_lowercase();
    let severity = if far >= FAR { Severity::Error } else { Severity::Warning };
    let ends = if high.is_finite() { format!("between {low} and {high}") } else { format!("{low} or more") };
    let finding = rule
        .finding()
        .at(key.clone())
        .weigh(severity, if far >= FAR { 0.98 } else { 0.7 })
        .evidence(format!("`{name}` gives numbers that are {ends}"))
        .evidence(format!("after scaling, targets of `{}` reach from {min:.3} to {max:.3}", target.name))
        .evidence(format!("the farthest lies {far:.1} standard deviations out of reach"))
        .because(
            "the model cannot give the numbers it is asked for, and where its last activation is flat it gets no \
             gradient to try",
            "predictions do reach the smallest and the largest target",
        )
        .fix("no activation after the last layer", [(key.as_str(), none)]);
    vec![finding]
}

/// What an activation can give; `None` where that is everything.
fn range(act: Act) -> Option<[f64; 2]> {
    match act {
        Act::Relu => Some([0.0, f64::INFINITY]),
        Act::Sigmoid | Act::Softmax => Some([0.0, 1.0]),
        Act::Tanh => Some([-1.0, 1.0]),
        Act::Elu => Some([-1.0, f64::INFINITY]),
        // its minimum, near x = −0.75
        Act::Gelu => Some([-0.17, f64::INFINITY]),
        Act::LeakyRelu | Act::Identity => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn targets_out_of_reach_are_found_after_scaling() {
        let world = World::default();
        let rows = [
            ("relu", "standardize", Some(Severity::Error)),
            ("sigmoid", "standardize", Some(Severity::Error)),
            ("tanh", "standardize", Some(Severity::Error)),
            ("elu", "standardize", Some(Severity::Error)),
            ("sigmoid", "minmax", None),
            ("relu", "minmax", None),
            ("none", "standardize", None),
        ];
        for (output, scale, expected) in rows {
            let sets = [format!("model.output={output}"), format!("data.scale_target={scale}")];
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            assert_eq!(severity(&RULE, NUMBERS, &sets, &world), expected, "{output} {scale}");
        }
    }

    #[test]
    fn prices_behind_a_relu_are_fine_and_a_hair_below_zero_too() {
        let prices = World { targets: vec![column(20.0, 9.0, 0.0, 50.0)], ..World::default() };
        let sets = ["model.output=relu", "data.scale_target=none"];
        assert_eq!(severity(&RULE, NUMBERS, &sets, &prices), None);
        let hair = World { targets: vec![column(20.0, 9.0, -0.1, 50.0)], ..World::default() };
        assert_eq!(severity(&RULE, NUMBERS, &sets, &hair), None);
        let some = World { targets: vec![column(20.0, 9.0, -2.0, 50.0)], ..World::default() };
        assert_eq!(severity(&RULE, NUMBERS, &sets, &some), Some(Severity::Warning));
    }

    #[test]
    fn an_activation_written_as_the_last_layer_counts() {
        let sets = ["model.layers=[{linear=\"targets\"},{act=\"relu\"}]"];
        assert_eq!(found(&RULE, NUMBERS, &sets, &World::default()).place, "model.layers[1].act");
    }
}
