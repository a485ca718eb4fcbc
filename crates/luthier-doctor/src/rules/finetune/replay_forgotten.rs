//! # FIN103 replay-forgotten
//!
//! ## What it finds
//! One of several streams that gets worse while another one gets better: what was known is given up for what is new, or
//! what is new in both is learned for the one alone.
//!
//! ## Why it hurts
//! A replay stream is there so that its task is not forgotten. Where its accuracy falls all the same, it has too few
//! updates, or moves too few parameters to make up for what the other stream does to the rest.
//!
//! ## How it is measured
//! Validation accuracies of each stream, four at least. The last two are below the stream's best by 0.05 and by three
//! sampling errors; meanwhile another stream has gained three of its own. A stream that is known by heart falls too, but
//! its training accuracy is near 1: that is another fault. Or, for a stream that never knew its task: its training loss of
//! the last two epochs, of four at least, is a tenth above that of knowing nothing and fewer of its answers are right than
//! guessing would make, while another stream's loss is below that of knowing nothing.
//!
//! ## Example
//! ```toml
//! [[streams]]
//! name = "new"
//! [[streams]]
//! name = "replay"
//! train = ["classifier.*"]   # what lies below the classifier is the new stream's alone
//! ```
//!
//! ## Fix
//! More updates of the stream that falls (`interleave = "ratio"`, `steps`), the parameters below its head as well, or a
//! lower rate for the other one.
//!
//! ## When it is wrong
//! When the old task is meant to be given up.
//!
//! ## Source
//! McCloskey & Cohen 1989; Chaudhry et al. 2019, On Tiny Episodic Memories in Continual Learning.

use luthier_plan::{Plan, streams, watch};
use luthier_recipe::Interleave;
use luthier_track::{EpochPoint, EvalPoint};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity, history};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN103",
    name: "replay-forgotten",
    category: Category::Finetune,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("replay_forgotten.rs"),
    look,
};

struct Stream<'a> {
    name: &'a str,
    evals: Vec<&'a EvalPoint>,
    epochs: &'a [EpochPoint],
}

impl Stream<'_> {
    fn right(&self, at: usize) -> f64 {
        self.evals.get(at).map_or(0.0, |eval| history::right(eval))
    }

    /// The last two evaluations together.
    fn end(&self) -> f64 {
        let last = self.evals.len().saturating_sub(1);
        f64::midpoint(self.right(last), self.right(last.saturating_sub(1)))
    }

    /// The evaluation with the highest accuracy, the first of equals.
    fn best(&self) -> usize {
        (0..self.evals.len()).rev().max_by(|a, b| self.right(*a).total_cmp(&self.right(*b))).unwrap_or(0)
    }

    fn error(&self, at: usize) -> f64 {
        self.evals.get(at).map_or(1.0, |eval| history::share_error(history::right(eval), eval.count))
    }

    /// How far it is below its best, where that is more than chance.
    fn fall(&self) -> Option<(usize, f64)> {
        let best = self.best();
        let fall = self.right(best) - self.end();
        let heart = self.epochs.last().is_some_and(|epoch| epoch.accuracy.is_some_and(|share| share > 0.97));
        let least = (3.0 * self.error(best)).max(0.05);
        (self.evals.len() >= 4 && fall > least && !heart).then_some((best, fall))
    }
}

fn stream<'a>(name: &'a str, evals: &'a [EvalPoint], epochs: &'a [EpochPoint]) -> Stream<'a> {
    let evals = evals.iter().filter(|eval| eval.split == "valid" && !eval.estimate).collect();
    Stream { name, evals, epochs }
}

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(metrics) = facts.run.map(|run| &run.metrics).filter(|metrics| !metrics.streams.is_empty())
    else {
        return Vec::new();
    };
    let first = facts.plan.map_or("the first", |plan| plan.stream.as_str());
    let mut all = vec![stream(first, &metrics.evals, &metrics.epochs)];
    all.extend(metrics.streams.iter().map(|own| stream(&own.name, &own.evals, &own.epochs)));
    let mut found = Vec::new();
    for at in 0..all.len() {
        let Some([own, others]) = fallen(&all, at).or_else(|| pushed(&all, at, facts.plan?)) else {
            continue;
        };
        let finding = rule
            .finding()
            .at("streams")
            .weigh(Severity::Warning, 0.85)
            .evidence(own)
            .evidence(others)
            .because(
                "what both streams' answers come out of is moved for the one and away from the other",
                "trained by itself from there, the stream that falls gets worse as well",
            );
        let steps = facts.plan.and_then(|plan| {
            let own = plan.recipe.streams.get(at)?;
            (plan.recipe.train.interleave != Interleave::Sum).then_some(2 * own.steps.max(1))
        });
        found.push(match steps {
            Some(steps) => finding.fix(
                "twice as many updates of the stream that falls",
                [
                    ("train.interleave", json!("ratio")),
                    (format!("streams[{at}].steps").as_str(), json!(steps)),
                ],
            ),
            None => finding,
        });
    }
    found
}

/// What is seen of a stream whose validation accuracy falls, and of another whose gains.
fn fallen(all: &[Stream<'_>], at: usize) -> Option<[String; 2]> {
    let one = all.get(at)?;
    let (best, fall) = one.fall()?;
    let gains = |other: &&Stream<'_>| other.end() - other.right(best) > 3.0 * other.error(best);
    let others = all.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, other)| other);
    let other = others.filter(|other| other.evals.len() > best).find(gains)?;
    let update = one.evals.get(best).map_or(0, |eval| eval.at.update);
    let own = format!(
        "the validation accuracy of stream `{}` was {:.1} % after update {update} and is {:.1} %, a fall of {:.1} sampling \
         errors",
        one.name,
        100.0 * one.right(best),
        100.0 * one.end(),
        fall / one.error(best)
    );
    let (before, after) = (100.0 * other.right(best), 100.0 * other.end());
    Some([own, format!("that of stream `{}` went from {before:.1} to {after:.1} % meanwhile", other.name)])
}

/// What is seen of a stream that knows less than nothing at the end, and of another that has learned.
fn pushed(all: &[Stream<'_>], at: usize, plan: &Plan) -> Option<[String; 2]> {
    let plans: Vec<&Plan> = streams::all(plan).collect();
    let last = |index: usize| {
        let epoch = all.get(index)?.epochs.last()?;
        Some((epoch, watch::chance(plans.get(index)?)?))
    };
    let (end, nothing) = last(at)?;
    let guessed = guessed(plans.get(at)?);
    let below = |epoch: &EpochPoint| {
        epoch.loss > 1.1 * nothing && epoch.accuracy.is_some_and(|right| right < guessed)
    };
    let epochs = all.get(at)?.epochs;
    if epochs.len() < 4 || !epochs.iter().rev().take(2).all(below) {
        return None;
    }
    let learned = |(epoch, nothing): &(&EpochPoint, f64)| epoch.loss < 0.98 * nothing;
    let mut others = (0..all.len()).filter(|index| *index != at);
    let (other, (epoch, theirs)) =
        others.find_map(|index| Some((all.get(index)?, last(index).filter(learned)?)))?;
    let own = format!(
        "stream `{}` ends with a training loss of {:.2}, where knowing nothing has {nothing:.2}, and {:.1} % of its answers \
         are right",
        all.get(at)?.name,
        end.loss,
        100.0 * end.accuracy.unwrap_or(0.0)
    );
    let (name, loss) = (other.name, epoch.loss);
    Some([own, format!("that of stream `{name}` is {loss:.2}, where knowing nothing has {theirs:.2}")])
}

/// Share of right answers of one who guesses, as the mean over heads.
fn guessed(plan: &Plan) -> f64 {
    let of = |classes: usize| 1.0 / classes.max(1) as f64;
    match plan.data.tasks.len() {
        0 => of(plan.data.classes.len()),
        count => plan.data.tasks.iter().map(|task| of(task.classes.len())).sum::<f64>() / count as f64,
    }
}

#[cfg(test)]
mod tests {
    use luthier_track::StreamMetrics;

    use super::{Plan, RULE};
    use crate::rules::sample::*;
    use crate::testing::{PICTURES, Subject, World};

    const BETTER: [(f64, f64); 5] = [(2.0, 0.3), (1.5, 0.5), (1.0, 0.6), (0.8, 0.7), (0.7, 0.75)];
    const FALLS: [(f64, f64); 5] = [(0.3, 0.90), (0.5, 0.80), (0.7, 0.7), (0.8, 0.62), (0.9, 0.60)];

    fn with(first: &[(f64, f64)], second: &[(f64, f64)]) -> Made {
        let other = learning(250).valid(second).train_accuracy(&[0.8; 5]).0.metrics;
        let mut made = learning(250).valid(first).train_accuracy(&[0.8; 5]);
        made.0.metrics.streams = vec![StreamMetrics {
            name: "replay".into(),
            steps: other.steps,
            evals: other.evals,
            epochs: other.epochs,
        }];
        made
    }

    #[test]
    fn one_falls_while_the_other_gains() {
        let evidence = &one(&RULE, &with(&BETTER, &FALLS)).evidence;
        assert!(evidence[0].contains("`replay`") && evidence[0].contains("90.0 %"), "{evidence:?}");
        assert!(evidence[1].contains("30.0 to 72.5 %"), "{evidence:?}");
        assert_eq!(found(&RULE, &with(&FALLS, &BETTER), None).len(), 1, "whichever it is");
    }

    /// As a ViT from random weights did it: four updates of nine heads for one of the photos.
    #[test]
    fn one_is_pushed_below_guessing_while_the_other_learns() {
        let mut plan = Subject::new(PICTURES, &[], &World::default()).plan;
        let other = plan.clone();
        plan.streams = vec![Plan { stream: "replay".into(), ..other }];
        plan.recipe.streams =
            serde_json::from_value(serde_json::json!([{ "name": "new" }, { "name": "replay" }])).unwrap();
        let nothing = 3.0_f64.ln();
        let told = |losses: [f64; 2], accuracies: [f64; 2]| {
            let mut made = with(&BETTER, &[(1.2, 0.0); 5]);
            let metrics = &mut made.0.metrics;
            for (epochs, (loss, accuracy)) in [&mut metrics.epochs, &mut metrics.streams[0].epochs]
                .into_iter()
                .zip(losses.into_iter().zip(accuracies))
            {
                epochs.iter_mut().for_each(|epoch| (epoch.loss, epoch.accuracy) = (loss, Some(accuracy)));
            }
            found(&RULE, &made, Some(&plan))
        };
        let found = told([0.7, 2.0], [0.7, 0.0]);
        assert_eq!(found.len(), 1, "{found:?}");
        let evidence = &found[0].evidence;
        assert!(evidence[0].contains("`replay` ends with a training loss of 2.00, where"), "{evidence:?}");
        assert!(evidence[1].contains("is 0.70, where knowing nothing has 1.10"), "{evidence:?}");
        assert_eq!(found[0].fix.as_ref().unwrap().patch["streams[1].steps"], 2);
        // slow, or wrong with great confidence on some: neither is pushed away
        assert!(told([0.7, nothing], [0.7, 0.3]).is_empty());
        assert!(told([0.7, 2.0], [0.7, 0.5]).is_empty());
        // both lost: another fault
        assert!(told([1.2, 2.0], [0.3, 0.0]).is_empty());
    }

    #[test]
    fn both_may_gain_or_fall_together_or_shake() {
        silent(&RULE, &with(&BETTER, &BETTER));
        silent(&RULE, &with(&FALLS, &FALLS));
        let noise = [(0.3, 0.90), (0.3, 0.86), (0.3, 0.91), (0.3, 0.87), (0.3, 0.88)];
        silent(&RULE, &with(&BETTER, &noise));
        silent(&RULE, &learning(250).valid(&FALLS));
        // learned by heart
        let mut heart = with(&BETTER, &FALLS);
        heart.0.metrics.streams[0].epochs.last_mut().unwrap().accuracy = Some(0.99);
        silent(&RULE, &heart);
    }
}
