//! # LOS104 tasks-conflict
//!
//! ## What it finds
//! Two heads whose gradients point against each other at the parameters that they share.
//!
//! ## Why it hurts
//! An update that lowers the one's loss raises the other's. The sum of both moves along what is left: both learn slowly,
//! or the weaker one not at all.
//!
//! ## How it is measured
//! `train.monitor.gradient_cosine` writes the cosine between the gradients of every two heads at the updates that are
//! looked at. Against each other is a median below −0.1 with three quarters of at least five cosines below 0. It is a note
//! as long as both losses fall, and a warning where one of them does not.
//!
//! ## Example
//! ```toml
//! [model.heads]
//! yaw = {}
//! mirrored_yaw = {}          # what the one wants of the features the other does not
//! [train]
//! monitor = { gradient_cosine = true }
//! ```
//!
//! ## Fix
//! A hidden layer of its own for each of the two (`hidden = [256]`), more parameters below them, or a smaller weight for
//! the one that matters less. Learned weights balance lengths, not directions.
//!
//! ## When it is wrong
//! Near the end of a run, where gradients are mostly the noise of their batch, cosines scatter around 0: the median is
//! over the whole run for that reason.
//!
//! ## Source
//! Yu et al. 2020, Gradient Surgery for Multi-Task Learning, definition 1.

use luthier_track::StepPoint;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity, history};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS104",
    name: "tasks-conflict",
    category: Category::Loss,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("tasks_conflict.rs"),
    look,
};

/// Cosines that a pair must have been compared by.
const ENOUGH: usize = 5;
/// Median below which two gradients are against each other.
const AGAINST: f64 = -0.1;
/// Share of the cosines that must be below 0.
const MOSTLY: f64 = 0.75;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let others = run.metrics.streams.iter().map(|stream| (stream.name.as_str(), &stream.steps));
    let mut found = Vec::new();
    for (stream, steps) in std::iter::once(("", &run.metrics.steps)).chain(others) {
        for (one, other, cosines) in pairs(steps) {
            let below = cosines.iter().filter(|cosine| **cosine < 0.0).count() as f64 / cosines.len() as f64;
            let median = history::median(&cosines);
            if cosines.len() < ENOUGH || median >= AGAINST || below < MOSTLY {
                continue;
            }
            let stuck: Vec<&str> = [one, other].into_iter().filter(|head| !learns(steps, head)).collect();
            let severity = if stuck.is_empty() { Severity::Info } else { Severity::Warning };
            let of = if stream.is_empty() { String::new() } else { format!("in stream `{stream}`, ") };
            let mut finding = rule.finding().at(format!("model.heads.{one}")).weigh(severity, 0.7).evidence(format!(
                "{of}the gradients of `{one}` and `{other}` have a median cosine of {median:.2}, below 0 at {:.0} % of {} \
                 looks",
                100.0 * below,
                cosines.len()
            ));
            if !stuck.is_empty() {
                finding = finding.evidence(format!("the loss of `{}` does not fall", stuck.join("` and `")));
            }
            found.push(finding.because(
                "what lowers the loss of the one raises that of the other",
                "with a hidden layer of its own for each, both do no better",
            ));
        }
    }
    found
}

/// Cosines of every two heads that were compared.
fn pairs(steps: &[StepPoint]) -> Vec<(&str, &str, Vec<f64>)> {
    let mut pairs: Vec<(&str, &str, Vec<f64>)> = Vec::new();
    for (one, other, cosine) in steps.iter().flat_map(|step| &step.gradient_cosine) {
        match pairs.iter_mut().find(|(a, b, _)| a == one && b == other) {
            Some((_, _, cosines)) => cosines.push(*cosine),
            None => pairs.push((one, other, vec![*cosine])),
        }
    }
    pairs
}

/// Whether a head's own loss falls; where there are too few updates to tell, it is taken to.
fn learns(steps: &[StepPoint], head: &str) -> bool {
    let of = |step: &StepPoint| step.tasks.iter().find(|task| task.head == head).map(|task| task.loss);
    let losses: Vec<f64> = steps.iter().filter_map(of).collect();
    history::course(&losses).is_none_or(|course| course.falls())
}

#[cfg(test)]
mod tests {
    use luthier_track::TaskPoint;

    use super::RULE;
    use crate::Severity;
    use crate::rules::sample::*;

    /// A run with two heads: what the second one's loss is, and their cosine at every 20th update.
    fn made(second: impl Fn(u64) -> f64, cosine: impl Fn(u64) -> f64) -> Made {
        let mut made = learning(200);
        for step in &mut made.0.metrics.steps {
            let update = step.at.update;
            let task = |head: &str, loss| TaskPoint {
                top5: None,
                positives: None,
                active: None,
                barren: 0,
                head: head.into(),
                loss,
                accuracy: 0.5,
                weight: None,
                confusion: None,
            };
            step.tasks = vec![task("a", step.loss), task("b", second(update))];
            if update % 20 == 0 {
                step.gradient_cosine = vec![("a".into(), "b".into(), cosine(update))];
            }
        }
        made
    }

    #[test]
    fn against_each_other_is_told_and_warned_of_where_one_is_stuck() {
        let falls = |update: u64| 2.0 * (-(update as f64) / 50.0).exp() + 0.1;
        let flat = |update: u64| 2.0 + 0.05 * normal(update);
        let against = |update: u64| -0.3 + 0.1 * normal(update);
        assert_eq!(one(&RULE, &made(falls, against)).severity, Severity::Info);
        let stuck = one(&RULE, &made(flat, against));
        assert_eq!(stuck.severity, Severity::Warning);
        assert!(stuck.evidence[1].contains("`b`"), "{stuck:?}");
        // around 0, one with the other, and looked at too seldom
        silent(&RULE, &made(flat, |update| 0.2 * normal(update)));
        silent(&RULE, &made(flat, |_| 0.4));
        let mut seldom = made(flat, against);
        seldom.0.metrics.steps.iter_mut().skip(80).for_each(|step| step.gradient_cosine.clear());
        silent(&RULE, &seldom);
        silent(&RULE, &learning(200));
    }
}
