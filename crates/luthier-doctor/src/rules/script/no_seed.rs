//! # LOO306 script-no-seed
//!
//! ## What it finds
//! A training that is another one each time.
//!
//! ## Why it hurts
//! Without a seed two runs differ by chance, and what a change did cannot be told from what chance did.
//!
//! ## How it is measured
//! The script trains, and nothing whose name has `seed` in it is called.
//!
//! ## Example
//! ```python
//! model = Net()
//! ```
//!
//! ## Fix
//! `torch.manual_seed(0)` before the model and the data are made.
//!
//! ## When it is wrong
//! When the seed is set by what starts the script. It is a note and no more.
//!
//! ## Source
//! PyTorch's notes on reproducibility.

use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("LOO306", "script-no-seed", Category::Loop, include_str!("no_seed.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let Some(first) = script.backwards().next() else { return Vec::new() };
        if script.calls.iter().any(|call| call.callee.to_lowercase().contains("seed")) {
            return Vec::new();
        }
        let finding = super::at(rule, script, first.at)
            .weigh(Severity::Info, 0.9)
            .evidence("no seed is set".to_owned())
            .because("two runs of the same script differ by chance alone", "two runs give the same losses");
        vec![super::change(finding, "`torch.manual_seed(0)` before the model and the data are made")]
    })
}
