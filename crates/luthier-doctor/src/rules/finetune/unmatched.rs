//! # FIN001 weights-unmatched
//!
//! ## What it finds
//! A weight file of which little was loaded.
//!
//! ## Why it hurts
//! Layers that were not found start random between layers that were trained with others: the model is worse than
//! one that is random throughout, and looks pretrained.
//!
//! ## How it is measured
//! The load report: matched tensors over matched and missing, the head left out. Below 95 % an error, any missing
//! tensor a warning.
//!
//! ## Example
//! ```toml
//! [model]
//! weights = "other-model.pth"
//! allow_unmatched = ["*"]
//! ```
//!
//! ## Fix
//! The weights that belong to the architecture; a narrower `allow_unmatched`.
//!
//! ## When it is wrong
//! When new layers were added on purpose; then they are few.
//!
//! ## Source
//! torchgeo and others loaded nothing for months because of a prefix in the names.

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "FIN001",
    name: "weights-unmatched",
    category: Category::Finetune,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("unmatched.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(load) = facts.plan.and_then(|plan| plan.model.load.as_ref()) else { return Vec::new() };
    let lost = load.missing.len() + load.wrong_shape.len();
    let whole = load.matched + lost;
    if lost == 0 && whole > 0 {
        return Vec::new();
    }
    let share = load.matched as f64 / whole.max(1) as f64;
    let names = load.missing.iter().chain(load.wrong_shape.iter().map(|(name, ..)| name));
    let names: Vec<&str> = names.take(3).map(String::as_str).collect();
    let finding = rule
        .finding()
        .at("model.weights")
        .weigh(if share < 0.95 { Severity::Error } else { Severity::Warning }, 0.95)
        .evidence(format!("{} of {whole} tensors were loaded", load.matched))
        .evidence(format!("among those that start random: {}", names.join(", ")))
        .because(
            "random layers between trained ones undo what the trained ones know",
            "the missing tensors belong to layers that were added on purpose",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn missing_tensors_are_found_and_a_new_head_is_not() {
        let with = |matched: usize, missing: usize| {
            let missing = (0..missing).map(|at| format!("layer{at}.weight")).collect();
            let world =
                World { load: LoadReport { matched, missing, ..LoadReport::default() }, ..World::default() };
            severity(&RULE, PICTURES, &[], &world)
        };
        assert_eq!(with(3, 60), Some(Severity::Error));
        assert_eq!(with(0, 0), Some(Severity::Error));
        assert_eq!(with(60, 1), Some(Severity::Warning));
        assert_eq!(with(60, 0), None);
        assert_eq!(severity(&RULE, PICTURES, &["model.weights=none"], &World::default()), None);
    }
    use luthier_plan::LoadReport;
}
