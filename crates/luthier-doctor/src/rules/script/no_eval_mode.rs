//! # EVA301 script-no-eval-mode
//!
//! ## What it finds
//! A validation in training mode.
//!
//! ## Why it hurts
//! Dropout drops and BatchNorm uses the batch's own statistics: the figures are noise about another network, depend on
//! the batch size, and the running statistics are moved by validation data.
//!
//! ## How it is measured
//! The script trains, has a loop without gradients (`no_grad`, `inference_mode`), and calls `eval()` nowhere.
//!
//! ## Example
//! ```python
//! with torch.no_grad():
//!     for x, y in valid_loader:
//!         correct += (model(x).argmax(1) == y).sum().item()
//! ```
//!
//! ## Fix
//! `model.eval()` before, `model.train()` behind.
//!
//! ## When it is wrong
//! When the model has neither dropout nor BatchNorm.
//!
//! ## Source
//! `torch.nn.Module.eval`.

use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("EVA301", "script-no-eval-mode", Category::Evaluation, include_str!("no_eval_mode.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let trains = script.backwards().next().is_some();
        let eval = script.calls.iter().any(|call| {
            call.short() == "eval" || (call.short() == "train" && call.arg("mode", 0) == Some("False"))
        });
        let Some(quiet) = script.loops.iter().find(|l| l.scope.quiet).filter(|_| trains && !eval) else {
            return Vec::new();
        };
        let minds = script
            .calls
            .iter()
            .find(|call| call.short().starts_with("Dropout") || call.short().starts_with("BatchNorm"));
        let mut finding = super::at(rule, script, quiet.at)
            .weigh(Severity::Warning, if minds.is_some() { 0.9 } else { 0.7 })
            .evidence(format!(
                "the loop over `{}` is without gradients, and nothing is put in evaluation mode",
                quiet.over
            ));
        if let Some(call) = minds {
            finding = finding.evidence(format!("line {}: the model has `{}`", call.at.line, call.short()));
        }
        let finding = finding.because(
            "dropout and BatchNorm behave as in training: the figures are of another network",
            "the same validation, run twice, gives the same figures, and other batch sizes too",
        );
        vec![super::change(finding, "`model.eval()` before the validation, `model.train()` behind it")]
    })
}
