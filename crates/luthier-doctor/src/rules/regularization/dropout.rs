//! # REG001 dropout-high
//!
//! ## What it finds
//! Dropout that takes away more than two thirds.
//!
//! ## Why it hurts
//! With 0.8 every unit is seen in one of five updates, and what is left is scaled up five times: training is mostly
//! noise. Training accuracy stays far below that of the same samples in evaluation mode.
//!
//! ## How it is measured
//! Rates of the layers, and `model.dropout`: a warning from 0.7.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = 64 }, { act = "relu" }, { dropout = 0.8 }, { linear = 10 }]
//! ```
//!
//! ## Fix
//! 0.1 to 0.5.
//!
//! ## When it is wrong
//! In wide layers on easy data 0.9 does no harm (0.998 measured); the confidence is low for that.
//!
//! ## Source
//! Srivastava et al. 2014 recommend 0.5 for hidden units and 0.2 for inputs.

use serde_json::json;

use crate::{Category, Facts, Finding, Fix, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "REG001",
    name: "dropout-high",
    category: Category::Regularization,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("dropout.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let model = &plan.recipe.model;
    let layers = model.layers.iter().flatten().enumerate();
    let own =
        layers.filter_map(|(index, layer)| Some((format!("model.layers[{index}].dropout"), layer.dropout?)));
    let all = own.chain(model.dropout.map(|rate| ("model.dropout".to_owned(), rate)));
    let high: Vec<(String, f64)> = all.filter(|(_, rate)| *rate >= 0.7).collect();
    let Some((key, rate)) = high.first().cloned() else { return Vec::new() };
    let mut finding = rule
        .finding()
        .at(key)
        .weigh(Severity::Warning, 0.6)
        .evidence(format!("{:.0} % of the numbers are dropped", 100.0 * rate))
        .evidence(format!("what is left is multiplied by {:.1}", 1.0 / (1.0 - rate)))
        .because("training sees mostly noise", "the loss in training mode is near that in evaluation mode");
    let patch = high.into_iter().map(|(key, _)| (key, json!(0.3))).collect();
    finding.fix = Some(Fix { summary: "a usual rate".into(), patch });
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn only_high_rates_are_found() {
        let world = World::default();
        let with = |rate: &str| {
            let layers = format!(
                "model.layers=[{{linear=64}},{{act=\"relu\"}},{{dropout={rate}}},{{linear=\"classes\"}}]"
            );
            severity(&RULE, TABLE, &[&layers], &world)
        };
        assert_eq!(with("0.8"), Some(Severity::Warning));
        assert_eq!(with("0.5"), None);
        assert_eq!(severity(&RULE, TEXTS, &["model.dropout=0.9"], &world), Some(Severity::Warning));
        assert_eq!(severity(&RULE, TEXTS, &["model.dropout=0.1"], &world), None);
    }
}
