//! # OPT201 rate-too-high
//!
//! ## What it finds
//! A learning rate beyond what the loss at the start can bear.
//!
//! ## Why it hurts
//! On a loss with curvature k, gradient descent shrinks an error by 1 - lr · k each update: above lr · k = 2
//! it grows. The first updates throw the weights about, ReLUs die, the loss ends at that of guessing or is
//! NaN.
//!
//! ## How it is measured
//! Five signs. The first update, measured, relative to the weights: healthy ones are a hundredth, a third is
//! a throw. The rate times the largest curvature, for SGD: exact for a linear model; other networks escape to
//! flatter places up to about 4, hardly beyond 12. The losses of the first updates, far above the start. And
//! one batch that Adam at 1e-3 learns by heart, and the recipe's own rate does not. A single sign among the
//! first two, on a network that learns all the same, is only noted. Where there is time, the run's beginning is
//! played as it is and at a tenth of the rate, 5 to 250 updates of each, as many as fit some seconds: a run that
//! bounces and learns from there is soon ahead of the slower one, and is acquitted; from 20 on, one that is still where knowing nothing is, with the
//! slower one far ahead, is told whatever the other signs say. What a summed loss, unscaled inputs or targets, or
//! large initial weights explain is theirs.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "SGD"
//! lr = 2.0
//! ```
//!
//! ## Fix
//! A tenth of the rate, or one below 1 / k.
//!
//! ## When it is wrong
//! When a warm-up reaches the rate slowly: then later updates count, and the first five are of small rates.
//!
//! ## Source
//! LeCun, Simard and Pearlmutter (1993) for 2 / k; Lewkowycz et al., The large learning rate phase of deep
//! learning (2020) for 4 and 12. Measured: SGD 2.0 where 0.1 is right has a first update of 35 % of the
//! weights.

use luthier_recipe::Curve;
use serde_json::json;

use super::super::{
    signs::{self, Rehearsed},
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "OPT201",
    "rate-too-high",
    Category::Optimizer,
    include_str!("rate_too_high.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

/// An update of a third of the weights leaves little of where they started; one of a tenth is ten healthy ones.
const THROWN: f64 = 0.3;
const FAR: f64 = 0.1;

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    if signs::not_the_rate(view) {
        return None;
    }
    // the rate of later updates is higher where it warms up, and is not seen
    let ratio = view.ratio()?;
    let rises = view.rises();
    // a slow rate leaves much of the loss as well, but less of it from update to update
    let fails = signs::own_fails(view).is_some_and(|left| left > 0.9);
    let product = view.probes.curvature.filter(|_| !view.adaptive()).map(|curvature| view.lr() * curvature);
    // momentum m moves the edge from 2 to 2 (1 + m)
    let edge = 2.0 * (1.0 + view.momentum());
    let beyond = product.map_or(0.0, |product| product / edge);
    let dies = view.batch() >= 8
        && view.probes.steps.last().is_some_and(|last| last.dead > 0.6 && view.dead_at_start() < 0.3);
    let consequence = rises || dies || fails;
    let learns = signs::own_learns(view);
    let rehearsed = signs::rehearsed(view);
    let sized = ratio > FAR || beyond > 1.0;
    let exact = view.linear() && beyond > 1.0;
    let (severity, sure): (Severity, f64) =
        if exact && view.batch() >= 4 || (ratio > THROWN || beyond > 2.0) && consequence {
            (Severity::Error, 0.93)
        } else if sized && consequence {
            (Severity::Error, 0.8)
        } else if matches!(rehearsed, Rehearsed::Fails(..)) {
            (Severity::Error, 0.93)
        } else if learns {
            // it learns a batch at this rate: large steps do no harm that shows
            if ratio > THROWN || beyond > 6.0 { (Severity::Info, 0.5) } else { return None }
        } else if beyond > 6.0 || ratio > 1.0 {
            (Severity::Warning, 0.7)
        } else if ratio > THROWN || beyond > 2.0 {
            (Severity::Info, 0.5)
        } else {
            return None;
        };
    let (severity, sure) = match rehearsed {
        Rehearsed::Fails(..) => (Severity::Error, sure.max(0.93)),
        Rehearsed::Bears => (Severity::Info, 0.5),
        Rehearsed::Open => (severity, sure),
    };
    // losses that rise at first and settle: small updates that bounce to a flatter place, and learn the batch from there
    let settles = rehearsed == Rehearsed::Open && !exact && ratio <= FAR && signs::own_is_as_good(view);
    let (severity, sure) = if settles { (Severity::Info, 0.5) } else { (severity, sure) };
    let mut finding = rule
        .finding()
        .at("optim.lr")
        .weigh(severity, sure)
        .evidence(format!("the first update changes the weights by {:.1} % of their size", 100.0 * ratio));
    if let (Some(product), Some(curvature)) = (product, view.probes.curvature) {
        finding = finding.evidence(format!(
            "rate times curvature is {product:.2} ({curvature:.3e} is the curvature); it grows above {edge:.1}"
        ));
    }
    if let Some(rise) = view.rise().filter(|_| rises) {
        finding = finding.evidence(if rise.is_finite() {
            format!("the losses after it are {rise:.1} times the first, or theory's")
        } else {
            "a loss after it is not finite".to_owned()
        });
    }
    if let Rehearsed::Fails(own, tenth) = rehearsed {
        finding = finding.evidence(format!(
            "the run's beginning, played: the loss comes to {}, at a tenth of the rate to {tenth:.3}",
            if own.is_finite() { format!("{own:.3}") } else { "no finite number".to_owned() }
        ));
    }
    if rehearsed == Rehearsed::Bears {
        finding = finding.evidence("the run's beginning, played, does no better at a tenth of the rate");
    }
    if let Some(left) = signs::own_fails(view) {
        finding = finding.evidence(format!(
            "Adam at 1e-3 learns one batch by heart; this optimizer leaves {left:.2} of its loss"
        ));
    }
    // below half the edge where the curvature is known, a hundredth of the weights where it is not
    let safe = match view.probes.curvature.filter(|curvature| *curvature > 0.0 && beyond > 1.0) {
        Some(curvature) => 0.5 * edge / curvature,
        None => view.lr() * (0.02 / ratio).clamp(0.01, 0.1),
    };
    let safe = safe.min(view.lr() / 2.0);
    let patch = match view.recipe().map(|recipe| &recipe.schedule.curve) {
        // its highest rate is a number of its own
        Some(Curve::OneCycleLR { max_lr: Some(max_lr), .. }) => {
            ("schedule.max_lr", json!(super::super::round(max_lr * (safe / view.lr()).min(0.1))))
        }
        _ => ("optim.lr", json!(super::super::round(safe))),
    };
    Some(
        finding
            .because(
                "updates are larger than the loss can bear: each overshoots by more than it gains",
                "the same run at a tenth of the rate does no better",
            )
            .fix("lower the rate", [patch]),
    )
}
