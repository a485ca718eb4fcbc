//! # FIN101 forgetting
//!
//! ## What it finds
//! A pretrained model that is at its best after its first epochs and gets worse with every further one.
//!
//! ## Why it hurts
//! The features that it came with are overwritten faster than the data can teach new ones. A head trained on them as
//! they were would have done better.
//!
//! ## How it is measured
//! The best validation accuracy is in the first third of the evaluations, the last two are below it by 0.05 and more
//! than three sampling errors, and the model began with pretrained weights. Learning by heart looks the same, but for
//! a training accuracy near 1.
//!
//! ## Example
//! ```toml
//! [model]
//! weights = "pretrained.pth"
//! [optim]
//! type = "SGD"
//! lr = 0.005
//! momentum = 0.9
//! ```
//!
//! ## Fix
//! A tenth of the learning rate, or freeze the first layers; a schedule that falls.
//!
//! ## When it is wrong
//! When the validation split changed meanwhile.
//!
//! ## Source
//! Kumar et al. 2022, Fine-Tuning can Distort Pretrained Features.

use serde_json::json;

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, RunFacts, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN101",
    name: "forgetting",
    category: Category::Finetune,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("forgetting.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let (Some(run), Some(plan), Some(lr)) = (facts.run, facts.plan, history::base_rate(facts)) else {
        return Vec::new();
    };
    let Some(Fall { top, end, update, count }) = fall(run).filter(|_| plan.model.load.is_some()) else {
        return Vec::new();
    };
    let mut finding = rule.finding().at("optim.lr").weigh(Severity::Error, 0.8).evidence(format!(
        "the validation accuracy was {:.1} % after update {} and is {:.1} %, a fall of {:.1} sampling errors",
        100.0 * top,
        update,
        100.0 * end,
        (top - end) / history::share_error(top, count)
    ));
    if let Some(ratio) = history::usual_ratio(run) {
        finding = finding.evidence(format!("each update changed the weights by {ratio:.1e} of their length"));
    }
    let finding = finding
        .because(
            "the learning rate is too high for weights that are good already",
            "a run with a tenth of the rate falls as far from its best",
        )
        .fix("a tenth of the learning rate", [("optim.lr", json!(history::short(lr / 10.0)))]);
    vec![finding]
}

/// A validation accuracy that was best early and fell.
pub(crate) struct Fall {
    /// The best
    top: f64,
    /// Mean of the last two
    end: f64,
    /// When it was best
    update: u64,
    /// Samples that it was measured on
    count: u64,
}

/// Whether a run's validation was best in its first third and fell from there by more than noise, with training
/// samples that are not known by heart.
pub(crate) fn fall(run: &RunFacts) -> Option<Fall> {
    let evals = history::valid(&run.metrics);
    let best =
        evals.iter().enumerate().rev().max_by(|a, b| history::right(a.1).total_cmp(&history::right(b.1)));
    let (Some((at, best)), [.., before, last]) = (best, evals.as_slice()) else { return None };
    let (top, end) = (history::right(best), f64::midpoint(history::right(before), history::right(last)));
    let least = (3.0 * history::share_error(top, best.count)).max(0.05);
    let by_heart =
        run.metrics.epochs.last().is_some_and(|epoch| epoch.accuracy.is_some_and(|share| share > 0.97));
    let falls = evals.len() >= 4 && 3 * at <= evals.len() && top - end >= least && !by_heart;
    falls.then_some(Fall { top, end, update: best.at.update, count: best.count })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn best_at_first_and_worse_ever_after() {
        let falls = [(0.3, 0.90), (0.5, 0.83), (0.7, 0.76), (0.8, 0.72), (0.9, 0.70)];
        let plan = plan();
        let sick = learning(250).valid(&falls).train_accuracy(&[0.8, 0.85, 0.86, 0.86, 0.87]);
        assert_eq!(found(&RULE, &sick, Some(&plan))[0].fix.as_ref().unwrap().patch["optim.lr"], 0.01);
        let heart = learning(250).valid(&falls).train_accuracy(&[0.8, 0.9, 0.98, 1.0, 1.0]);
        assert!(found(&RULE, &heart, Some(&plan)).is_empty());
        let noise = [(0.3, 0.90), (0.3, 0.88), (0.3, 0.90), (0.3, 0.87), (0.3, 0.88)];
        assert!(found(&RULE, &learning(250).valid(&noise), Some(&plan)).is_empty());
    }
}
