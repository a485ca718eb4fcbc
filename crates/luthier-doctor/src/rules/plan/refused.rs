//! # PLN001 cannot-be-planned
//!
//! ## What it finds
//! A recipe that is well written and cannot be trained: one class only, outputs that do not fit the classes, a warm-up
//! longer than the run, weights for another architecture, a data file that is not there.
//!
//! ## Why it hurts
//! Nothing is trained.
//!
//! ## How it is measured
//! The recipe is resolved as `luthier check` does it; what stands in the way is named with its key.
//!
//! ## Example
//! ```toml
//! [schedule]
//! unit = "step"
//! warmup = { steps = 1000 }   # of a run of 300 updates
//! ```
//!
//! ## Fix
//! What the message says.
//!
//! ## When it is wrong
//! Never: the run would end with the same words.
//!
//! ## Source
//! Luthier's own plan.

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "PLN001",
    name: "cannot-be-planned",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("refused.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(refusal) = facts.refused else { return Vec::new() };
    let mut finding = rule
        .finding()
        .at(&refusal.key)
        .weigh(Severity::Error, 1.0)
        .evidence(&refusal.what)
        .because("the recipe cannot be trained as it is", "`luthier check` prints a plan");
    finding.evidence.extend(refusal.help.clone());
    finding.category = category(&refusal.key, &refusal.what);
    vec![finding]
}

/// What a refusal is about, by the key that stands in the way.
fn category(key: &str, what: &str) -> Category {
    let about = |words: &[&str]| words.iter().any(|word| what.contains(word));
    match key.split(['.', '[']).next().unwrap_or_default() {
        "data" if about(&["class", "label"]) => Category::Labels,
        "model" if key.starts_with("model.layers") || key.starts_with("model.output") => Category::Output,
        "model" if about(&["outputs", "classes"]) => Category::Output,
        "model" => Category::Finetune,
        "loss" => Category::Loss,
        "optim" => Category::Optimizer,
        "schedule" => Category::Schedule,
        "train" | "stages" => Category::Loop,
        "eval" => Category::Evaluation,
        _ => Category::Data,
    }
}

#[cfg(test)]
mod tests {
    use luthier_plan::PlanError;

    use crate::{Category, Facts, Status, judge};

    #[test]
    fn what_stands_in_the_way_is_told_by_what_it_is_about() {
        let cases = [
            ("data", "all training samples are of the class `0`", Category::Labels),
            ("data.path", "there is no such file", Category::Data),
            ("model.layers[2]", "it has 9 outputs for 10 classes", Category::Output),
            ("schedule.warmup.steps", "the warm-up is longer than the run", Category::Schedule),
        ];
        for (key, what, category) in cases {
            let error = PlanError::at(key, what).help("do this");
            let verdict = judge("recipe", &Facts { refused: Some(&error), ..Facts::default() });
            assert_eq!((verdict.status, verdict.findings[0].category), (Status::Sick, category), "{key}");
            assert_eq!(verdict.findings[0].evidence, [what, "do this"]);
        }
    }
}
