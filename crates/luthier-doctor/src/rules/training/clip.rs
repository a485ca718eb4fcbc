//! # LOO001 clip-low
//!
//! ## What it finds
//! A gradient clipping far below the norms that gradients have.
//!
//! ## Why it hurts
//! Every step is cut to the same tiny length: SGD at rate 0.1 with a clip of 0.01 moves all weights together by
//! 0.001. It looks like a rate that is too low. Adam divides the factor out, unless `eps` is of that size.
//!
//! ## How it is measured
//! `train.clip_grad_norm` of at most 0.05, and lr · clip / (1 − momentum) below 5e-3 with SGD.
//!
//! ## Example
//! ```toml
//! [train]
//! clip_grad_norm = 0.01
//! ```
//!
//! ## Fix
//! `clip_grad_norm = 1.0`.
//!
//! ## When it is wrong
//! When norms are that small by themselves, as for losses that are means over many outputs.
//!
//! ## Source
//! Clip of 0.01: accuracy 0.18 to 0.24 and every step clipped; with 1.0 it is 1.0, measured.

use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOO001",
    name: "clip-low",
    category: Category::Loop,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("clip.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let Some(clip) = plan.recipe.train.clip_grad_norm.filter(|clip| *clip <= 0.05) else { return Vec::new() };
    let lr = reading::peak(plan, plan.recipe.optim.lr);
    let step = lr * clip / (1.0 - reading::momentum(plan));
    let severity = if reading::adaptive(plan) || step >= 5e-3 { Severity::Info } else { Severity::Warning };
    let finding = rule
        .finding()
        .at("train.clip_grad_norm")
        .weigh(severity, 0.75)
        .evidence(format!("gradients are cut to a norm of {clip}; a first gradient of 1 and more is usual"))
        .evidence(if reading::adaptive(plan) {
            "this optimizer divides the gradient's size out again".to_owned()
        } else {
            format!("an update moves all weights together by {step:.1e} at most")
        })
        .because("every step is cut to the same small length", "fewer than half of the updates are clipped")
        .fix("cut spikes alone", [("train.clip_grad_norm", json!(1.0))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_tiny_clip_hurts_plain_descent() {
        let world = World::default();
        let rows: [(&[&str], Option<Severity>); 4] = [
            (&["train.clip_grad_norm=0.01"], Some(Severity::Warning)),
            (&["train.clip_grad_norm=0.01", "optim.type=Adam", "optim.lr=0.001"], Some(Severity::Info)),
            (&["train.clip_grad_norm=1.0"], None),
            (&[], None),
        ];
        for (sets, expected) in rows {
            assert_eq!(severity(&RULE, TABLE, sets, &world), expected, "{sets:?}");
        }
    }
}
