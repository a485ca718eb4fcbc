//! # LOO304 script-stays-in-eval
//!
//! ## What it finds
//! A model that is put in evaluation mode in the loop over epochs and never back.
//!
//! ## Why it hurts
//! From the second epoch on it trains without dropout and with frozen statistics of BatchNorm. The gradients are those
//! of another network than the one that was meant.
//!
//! ## How it is measured
//! `eval()` in the loop that counts epochs, or in a function called there, and no `train()` in the same loop nor in a
//! function called there.
//!
//! ## Example
//! ```python
//! model.train()
//! for epoch in range(10):
//!     train(model)
//!     model.eval()
//!     validate(model)
//! ```
//!
//! ## Fix
//! `model.train()` at the beginning of every epoch.
//!
//! ## When it is wrong
//! When the model has neither dropout nor BatchNorm; or evaluation mode is meant, as for frozen statistics.
//!
//! ## Source
//! `torch.nn.Module.eval` holds until `train()` is called.

use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("LOO304", "script-stays-in-eval", Category::Loop, include_str!("stays_in_eval.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let mut found = Vec::new();
        for index in (0..script.loops.len()).filter(|index| script.loops[*index].counts_epochs()) {
            let calls = super::reached(script, index);
            let trains = calls.iter().any(|call| call.short() == "backward");
            let eval = calls.iter().find(|call| call.short() == "eval" && call.args.is_empty());
            let back = calls.iter().any(|call| call.short() == "train" && !call.of().is_empty());
            let Some(eval) = eval.filter(|_| trains && !back) else { continue };
            let finding = super::at(rule, script, eval.at)
                .weigh(Severity::Warning, 0.85)
                .evidence(format!("`{}()` in the loop over epochs of line {}", eval.callee, script.loops[index].at.line))
                .evidence("there is no `train()` in that loop".to_owned())
                .because(
                    "all epochs but the first train in evaluation mode: no dropout, BatchNorm's statistics at rest",
                    "`model.training` is true in the second epoch's loop over batches",
                );
            found.push(super::change(finding, "call `train()` at the beginning of every epoch"));
        }
        found
    })
}
