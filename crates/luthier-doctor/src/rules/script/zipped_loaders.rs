//! # DAT301 script-zipped-loaders
//!
//! ## What it finds
//! `zip` of two loaders.
//!
//! ## Why it hurts
//! It ends with the shorter one: the rest of the longer is not seen in that epoch, and in a validation it is never
//! counted, while averages may still be divided by the longer one's length.
//!
//! ## How it is measured
//! A loop over `zip(…)` of two names that are loaders; with `cycle(…)` round one of them only a validation is told.
//!
//! ## Example
//! ```python
//! for synthetic, real in zip(synthetic_loader, real_loader):
//! ```
//!
//! ## Fix
//! In training `itertools.cycle` round the shorter; in validation a loop for each.
//!
//! ## When it is wrong
//! When both are equally long.
//!
//! ## Source
//! Python's `zip` "stops when the shortest input iterable is exhausted".

use crate::script::Script;
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("DAT301", "script-zipped-loaders", Category::Data, include_str!("zipped_loaders.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let told = script.loops.iter().filter_map(|this| {
            let loaders = zipped(script, &this.over)?;
            let cycled = this.over.contains("cycle(") && !this.scope.quiet;
            if cycled || loaders.len() < 2 {
                return None;
            }
            let finding = super::at(rule, script, this.at)
                .weigh(if this.scope.quiet { Severity::Warning } else { Severity::Info }, 0.7)
                .evidence(format!("`zip` of `{}` ends with the shorter", loaders.join("` and `")))
                .because(
                    if this.scope.quiet {
                        "part of the longer validation set is never looked at"
                    } else {
                        "an epoch ends with the shorter loader: part of the longer one is not seen in it"
                    },
                    "both loaders have the same length",
                );
            Some(super::change(
                finding,
                if this.scope.quiet { "a loop for each" } else { "`itertools.cycle` round the shorter one" },
            ))
        });
        told.collect()
    })
}

/// Loaders among the arguments of a `zip`.
fn zipped(script: &Script, over: &str) -> Option<Vec<String>> {
    let inside = over.split_once("zip(")?.1;
    let words = inside.split([',', ')', '(']).map(str::trim);
    let loader = |word: &&str| {
        let last = word.rsplit('.').next().unwrap_or(word);
        let named =
            last.to_lowercase().contains("loader") || last.ends_with("_dl") || last.starts_with("dl_");
        named || script.made(word, |call| call.short() == "DataLoader").is_some()
    };
    Some(words.filter(|word| !word.is_empty()).filter(loader).map(str::to_owned).collect())
}
