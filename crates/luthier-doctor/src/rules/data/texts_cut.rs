//! # DAT008 texts-cut
//!
//! ## What it finds
//! Most texts are longer than the tokens that are used of them.
//!
//! ## Why it hurts
//! What decides the label may stand in the part that is never read.
//!
//! ## How it is measured
//! Counts of the planned training split: a warning when more than half of the texts were cut.
//!
//! ## Example
//! ```toml
//! [data]
//! max_length = 32
//! ```
//!
//! ## Fix
//! A larger `max_length`, as far as the model has positions.
//!
//! ## When it is wrong
//! When the first sentences say it all, as in news.
//!
//! ## Source
//! Arithmetic over the tokenised texts.

use luthier_recipe::MaxLength;
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT008",
    name: "texts-cut",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("texts_cut.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some((plan, text)) = facts.plan.and_then(|plan| Some((plan, plan.text.as_ref()?))) else {
        return Vec::new();
    };
    let (texts, cut) = (reading::samples(plan, "train"), text.splits.first().map_or(0, |split| split.cut));
    if texts == 0 || cut * 2 <= texts {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at("data.max_length")
        .weigh(Severity::Warning, 0.5)
        .evidence(format!("{cut} of {texts} training texts are cut to {} tokens", text.max_length))
        .because("most texts are read in part only", "the label of a text can be told from its beginning");
    let longest = matches!(plan.recipe.data.max_length, MaxLength::Word(_));
    vec![if longest {
        finding
    } else {
        finding.fix("all that the model has positions for", [("data.max_length", json!("longest"))])
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn most_texts_cut_is_a_warning_and_a_few_are_not() {
        let most = World { cut: 900, ..World::default() };
        assert_eq!(severity(&RULE, TEXTS, &["data.max_length=32"], &most), Some(Severity::Warning));
        assert_eq!(severity(&RULE, TEXTS, &[], &most), Some(Severity::Warning));
        let few = World { cut: 100, ..World::default() };
        assert_eq!(severity(&RULE, TEXTS, &["data.max_length=32"], &few), None);
    }
}
