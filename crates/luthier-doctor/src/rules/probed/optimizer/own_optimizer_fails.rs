//! # OPT206 own-optimizer-fails
//!
//! ## What it finds
//! One small batch that Adam at 1e-3 learns by heart, and the recipe's own optimizer makes worse.
//!
//! ## Why it hurts
//! Model, data and loss are fine then: what is wrong is how the weights are updated.
//!
//! ## How it is measured
//! A hundred updates on eight samples, with the recipe's own optimizer and rate, and with Adam at 1e-3. Named
//! when the latter gets there and the former leaves all of the loss or more. Silent where another rule names
//! the number that is wrong. Half learned is a matter of patience and not named.
//!
//! ## Example
//! ```toml
//! [optim]
//! type = "SGD"
//! lr = 30.0
//! ```
//!
//! ## Fix
//! Adam at 1e-3 as a start; then look for a rate with `luthier doctor --probe lr`.
//!
//! ## When it is wrong
//! When the recipe's optimizer needs its warm-up.
//!
//! ## Source
//! Karpathy, A Recipe for Training Neural Networks (2019): overfit one batch.

use luthier_recipe::{NoDecay, Rule as Update};
use serde_json::json;

use super::super::{
    signs,
    view::{View, one},
};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::super::cause(
    "OPT206",
    "own-optimizer-fails",
    Category::Optimizer,
    include_str!("own_optimizer_fails.rs"),
    look,
);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    one(rule, facts, find)
}

fn find(rule: &Rule, view: View<'_>) -> Option<Finding> {
    let left = signs::own_fails(view).filter(|left| *left >= 0.98)?;
    let named = [
        &super::rate_too_high::RULE,
        &super::rate_too_low::RULE,
        &super::clip_too_low::RULE,
        &super::eps_too_large::RULE,
    ];
    let says = |rule: &&Rule| (rule.look)(rule, view.facts()).iter().any(|f| f.severity > Severity::Info);
    if signs::not_the_rate(view) || signs::rehearses_well(view) || named.iter().any(says) {
        return None;
    }
    let mut finding = rule
        .finding()
        .at("optim")
        .weigh(Severity::Warning, 0.7)
        .evidence(format!(
            "Adam at 1e-3 learns one batch by heart; this optimizer leaves {left:.2} of its loss"
        ))
        .because(
            "the model can learn and its optimizer does not let it",
            "the recipe's own optimizer learns the batch with more updates",
        )
        .fix("take Adam at 1e-3", [("optim.type", json!("Adam")), ("optim.lr", json!(1e-3))]);
    let moot = moot(&view.recipe()?.optim.rule);
    if let Some(fix) = &mut finding.fix {
        fix.patch.extend(moot.into_iter().map(|key| (key.to_owned(), json!(null))));
    }
    Some(finding)
}

/// What LAMB and LARS spare where nothing is said.
const BOTH: [NoDecay; 2] = [NoDecay::Bias, NoDecay::Norm];

/// What a rule was given that Adam does not take.
fn moot(rule: &Update) -> Vec<&'static str> {
    let given = match rule {
        Update::SGD { momentum, dampening, nesterov } => vec![
            ("optim.momentum", *momentum != 0.0),
            ("optim.dampening", *dampening != 0.0),
            ("optim.nesterov", *nesterov),
        ],
        Update::RMSprop { momentum, centered, alpha, .. } => vec![
            ("optim.momentum", *momentum != 0.0),
            ("optim.centered", *centered),
            ("optim.alpha", *alpha != 0.99),
        ],
        Update::LAMB { exclude, .. } => vec![("optim.exclude", *exclude != BOTH)],
        Update::LARS { momentum, trust_coefficient, exclude } => vec![
            ("optim.momentum", *momentum != 0.9),
            ("optim.trust_coefficient", *trust_coefficient != 0.001),
            ("optim.exclude", *exclude != BOTH),
        ],
        Update::Adam { .. } | Update::AdamW { .. } => Vec::new(),
    };
    given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect()
}
