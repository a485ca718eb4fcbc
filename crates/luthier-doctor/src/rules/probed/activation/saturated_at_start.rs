//! # ACT202 saturated-at-start
//!
//! ## What it finds
//! Hidden sigmoids or tanhs that start where they are flat.
//!
//! ## Why it hurts
//! A saturated unit gives the same for every sample and passes no gradient.
//!
//! ## How it is measured
//! Share of numbers behind each hidden squashing function where its slope is below a thousandth of its
//! largest: more than half. Silent where huge inputs explain it.
//!
//! ## Example
//! ```toml
//! [model]
//! init = { weights = "normal", std = 1.0 }   # before sigmoids
//! ```
//!
//! ## Fix
//! `model.init = { weights = "xavier_normal", bias = 0.0 }`.
//!
//! ## When it is wrong
//! When gates are meant to start closed.
//!
//! ## Source
//! Glorot and Bengio (2010), section 3. TheDeepChecker counts a layer with more than half of its units
//! saturated.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "ACT202",
    "saturated-at-start",
    Category::Activation,
    include_str!("saturated_at_start.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    // hard choices of an attention are softmaxes that saturate rightly
    let flat = |point: &&crate::OutputPoint| {
        point.saturated > 0.5 && view.act(point).is_some_and(|act| act == "sigmoid" || act == "tanh")
    };
    let found = view.hidden().into_iter().find(flat)?;
    (!signs::huge_inputs(view) && !view.pretrained()).then(|| {
        rule.finding()
            .at("model.init")
            .weigh(Severity::Warning, 0.75)
            .evidence(format!(
                "{:.0} % of {} starts where its slope is gone",
                100.0 * found.saturated,
                found.name
            ))
            .because(
                "weights are so large for squashing activations that most units pass no gradient",
                "the layer before it moves as much as the others",
            )
            .fix(
                "start with Glorot's weights",
                [("model.init", json!({ "weights": "xavier_normal", "bias": 0.0 }))],
            )
    })
}
