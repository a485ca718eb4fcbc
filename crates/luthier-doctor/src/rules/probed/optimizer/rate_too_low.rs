//! # OPT202 rate-too-low
//!
//! ## What it finds
//! A learning rate at which the run cannot get anywhere.
//!
//! ## Why it hurts
//! Weights that move a hundred-thousandth of their size an update have moved a thousandth after a hundred.
//! The loss falls, but not in this run.
//!
//! ## How it is measured
//! Three ways. The whole run: the first update relative to the weights, summed over the planned rates with
//! momentum, is less than 1 % of them, and less than a healthy run moves in its first update. Or one batch:
//! Adam at 1e-3 learns it by heart, and the recipe's own optimizer leaves nine tenths of the loss with
//! updates below 1e-3. Or the run's beginning, played at its rate and at others: at its pace the whole run takes
//! less than a quarter off a loss that is that of knowing nothing, and ten times the rate takes off more in the
//! beginning alone. Silent where clipping, `eps`, inputs or the start explain it, and while the rate warms
//! up.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "SGD"
//! lr = 1e-4
//! ```
//!
//! ## Fix
//! A rate that moves the weights by a hundredth in the first update, at most a hundred times this one.
//!
//! ## When it is wrong
//! When a pretrained model is to be changed as little as that.
//!
//! ## Source
//! Karpathy, CS231n: updates of about 1e-3 of the weights. Measured: SGD 1e-4 where 0.1 is right moves 1.7e-5
//! an update.

use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::super::cause("OPT202", "rate-too-low", Category::Optimizer, include_str!("rate_too_low.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

/// Weights that move less than this in the whole run stay where they are.
const STAYS: f64 = 0.01;
/// Share of the loss of one batch that is left where nothing was learned of it.
const LEFT: f64 = 0.9;

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let explained =
        signs::not_the_rate(view) || signs::overclipped(view).is_some() || signs::large_eps(view).is_some();
    if explained || view.warms_up() {
        return None;
    }
    let ratio = view.ratio().filter(|ratio| *ratio > 0.0)?;
    let factors =
        view.facts().plan.map(|plan| plan.lr_factors.as_slice()).filter(|factors| !factors.is_empty());
    let first = factors.and_then(|factors| factors.iter().copied().find(|factor| *factor > 0.0));
    let budget = factors.zip(first).map(|(factors, first)| factors.iter().sum::<f64>() / first);
    let whole = budget.map(|budget| ratio * budget / (1.0 - view.momentum()));
    // of pretrained weights little need move, and the one batch tells
    let stays = whole.is_some_and(|whole| whole < STAYS) && !view.pretrained() && !signs::own_learns(view);
    let left = signs::own_fails(view).filter(|left| (LEFT..1.05).contains(left) && ratio < 1e-3);
    let crawls = signs::crawls(view).filter(|_| !view.pretrained());
    if !stays && left.is_none() && crawls.is_none() {
        return None;
    }
    let sure = if left.is_some() { 0.9 } else { 0.75 };
    let severity = if left.is_some() { Severity::Error } else { Severity::Warning };
    let mut finding = rule
        .finding()
        .at("optim.lr")
        .weigh(severity, sure)
        .evidence(format!("the first update changes the weights by {ratio:.1e} of their size"));
    if let Some(whole) = whole.filter(|_| stays) {
        finding = finding
            .evidence(format!("all updates of the run together move them by {:.2} % at most", 100.0 * whole));
    }
    if let Some([whole, faster]) = crawls {
        finding = finding.evidence(format!(
            "the run's beginning, played: at its pace the whole run takes {:.0} % off the loss, and ten times the rate takes \
             {:.0} % off in the beginning alone",
            100.0 * whole.max(0.0),
            100.0 * faster
        ));
    }
    if let Some(left) = left {
        finding = finding.evidence(format!(
            "Adam at 1e-3 learns one batch by heart; this optimizer leaves {:.0} % of its loss",
            100.0 * left
        ));
    }
    let times = (0.01 / ratio).clamp(3.0, 1000.0);
    // ten times the rate is not enough where it takes off part of the loss alone
    let times = if crawls.is_some() { times.max((0.05 / ratio).clamp(3.0, 30.0)) } else { times };
    Some(
        finding
            .because(
                "the rate is so low that the weights stay where they are for the whole run",
                "the same run at ten times the rate does no better",
            )
            .fix("raise the rate", [("optim.lr", json!(super::super::round(view.lr() * times)))]),
    )
}
