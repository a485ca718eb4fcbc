//! # EVA201 evaluation-random
//!
//! ## What it finds
//! An evaluation that gives another number when it is repeated.
//!
//! ## Why it hurts
//! Dropout or another random layer is on: evaluation judges a damaged model, and its numbers can't be
//! compared.
//!
//! ## How it is measured
//! The same batch evaluated twice: losses that differ by more than 1e-4 of their size, which rounding does
//! not.
//!
//! ## Example
//! A model that was not put into evaluation mode.
//!
//! ## Fix
//! Switch random layers off in evaluation.
//!
//! ## When it is wrong
//! When evaluation averages random passes on purpose (Monte Carlo dropout).
//!
//! ## Source
//! `torch.nn.Module.eval`.

use super::super::view::{View, one};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "EVA201",
    "evaluation-random",
    Category::Evaluation,
    include_str!("evaluation_random.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let [a, b] = view.probes.repeat?.losses;
    let apart = (a - b).abs() / a.abs().max(b.abs()).max(1e-12);
    (apart > 1e-4).then(|| {
        rule.finding()
            .at("eval")
            .weigh(Severity::Error, 0.95)
            .evidence(format!("one batch evaluated twice has the losses {a:.6} and {b:.6}"))
            .because("something random is on in evaluation", "two evaluations are equal")
    })
}
