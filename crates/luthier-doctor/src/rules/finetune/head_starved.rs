//! # FIN009 head-starved
//!
//! ## What it finds
//! A head whose loss hardly counts in the sum that is minimised.
//!
//! ## Why it hurts
//! What all heads share is shaped by the losses' weighted sum. A head with a hundredth of the others' weight has to make
//! do with features that were made for them; its own layers are slow as well, unless the optimizer divides by the
//! gradient's size.
//!
//! ## How it is measured
//! A head's weight, the largest of all streams that train it, over the largest weight of any head: below 0.02. A weight of
//! 0 is an error. Learned weights (`train.task_weighting`) are left alone.
//!
//! ## Example
//! ```toml
//! [model.heads]
//! classifier = {}
//! yaw = { weight = 0.001 }
//! ```
//!
//! ## Fix
//! A weight of the others' size, or `train.task_weighting`.
//!
//! ## When it is wrong
//! When the head's loss is so much larger than the others' that the weight makes up for it: a sum over outputs, say; or
//! for a head that is only to be watched.
//!
//! ## Source
//! Kendall et al. 2018, figure 2: the best weights of three tasks are within a factor of 50, and far from them each task
//! does worse than alone.

use luthier_plan::{Plan, streams};
use luthier_recipe::TaskWeighting;
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity, history};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN009",
    name: "head-starved",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("head_starved.rs"),
    look,
};

/// Share of the largest weight below which a head hardly counts.
const LITTLE: f64 = 0.02;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    if plan.recipe.train.task_weighting != TaskWeighting::Fixed {
        return Vec::new();
    }
    let heads = heads(plan);
    let largest = heads.iter().map(|head| head.weight).fold(0.0, f64::max);
    let starved = heads.iter().filter(|head| head.weight < LITTLE * largest);
    starved
        .map(|head| {
            let severity = if head.weight == 0.0 { Severity::Error } else { Severity::Warning };
            let weight = history::short(0.5 * largest);
            rule.finding()
                .at(&head.key)
                .weigh(severity, 0.7)
                .evidence(format!(
                    "the loss of the head `{}` counts {} in the sum, that of another one {largest}",
                    head.name, head.weight
                ))
                .because(
                    "what the heads share is learned for the others",
                    "with a weight like the others' its accuracy is no higher",
                )
                .fix("a weight of the others' size", [(head.key.as_str(), json!(weight))])
        })
        .collect()
}

struct Head<'a> {
    name: &'a str,
    /// The largest of all streams
    weight: f64,
    /// Where the recipe has it
    key: String,
}

fn heads(plan: &Plan) -> Vec<Head<'_>> {
    let mut all: Vec<Head<'_>> = Vec::new();
    for (at, stream) in streams::all(plan).enumerate() {
        for task in &stream.data.tasks {
            let given =
                plan.recipe.streams.get(at).is_some_and(|own| own.loss_weights.contains_key(&task.head));
            let key = if given {
                format!("streams[{at}].loss_weights.{}", task.head)
            } else {
                format!("model.heads.{}.weight", task.head)
            };
            match all.iter_mut().find(|head| head.name == task.head) {
                Some(head) if head.weight < task.weight => (head.weight, head.key) = (task.weight, key),
                Some(_) => {}
                None => all.push(Head { name: &task.head, weight: task.weight, key }),
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use luthier_plan::TaskPlan;

    use super::*;
    use crate::testing::*;

    fn task(head: &str, weight: f64) -> TaskPlan {
        let classes = vec!["a".into(), "b".into()];
        let column = head.into();
        TaskPlan { head: head.into(), index: 0, column, classes, weight, class_weights: Vec::new() }
    }

    /// Weights of heads in each stream.
    fn look_at(all: &[&[(&str, f64)]], learned: bool) -> Vec<(Severity, String)> {
        let mut plan = Subject::new(PICTURES, &[], &World::default()).plan;
        let mut plans = all.iter().map(|tasks| {
            let mut plan = plan.clone();
            plan.data.tasks = tasks.iter().map(|(head, weight)| task(head, *weight)).collect();
            plan
        });
        let first = plans.next().unwrap();
        let others = plans.collect();
        plan = first;
        plan.streams = others;
        if learned {
            plan.recipe.train.task_weighting = TaskWeighting::Uncertainty { lr: None };
        }
        let found = look(&RULE, &Facts { plan: Some(&plan), ..Facts::default() });
        found.into_iter().map(|finding| (finding.severity, finding.place)).collect()
    }

    #[test]
    fn a_hundredth_is_little() {
        let told = |severity| vec![(severity, "model.heads.yaw.weight".to_owned())];
        assert_eq!(look_at(&[&[("classifier", 1.0), ("yaw", 0.01)]], false), told(Severity::Warning));
        assert_eq!(look_at(&[&[("classifier", 1.0), ("yaw", 0.0)]], false), told(Severity::Error));
        assert_eq!(look_at(&[&[("classifier", 1.0), ("yaw", 0.05)]], false), []);
        assert_eq!(look_at(&[&[("classifier", 1.0), ("yaw", 0.01)]], true), [], "it is learned");
        // another stream trains it
        let two: &[&[(&str, f64)]] = &[&[("classifier", 1.0), ("yaw", 0.01)], &[("yaw", 0.5)]];
        assert_eq!(look_at(two, false), []);
        assert_eq!(look_at(&[&[]], false), [], "one head");
    }
}
