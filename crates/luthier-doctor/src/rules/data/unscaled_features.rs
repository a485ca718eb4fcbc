//! # DAT001 unscaled-features
//!
//! ## What it finds
//! Numbers of a table that go into the network as they are in the file, and are large or of very different size.
//!
//! ## Why it hurts
//! A weight's gradient is proportional to its input. With inputs of 100 beside inputs of 0.1 no learning rate fits
//! both: the one diverges before the other moves. Large inputs also saturate or kill the first layer at the first
//! step.
//!
//! ## How it is measured
//! Root mean square of every column of numbers as the model sees it. Large is above 10; uneven is a ratio of
//! deviations above 100. With SGD large inputs are an error from 30 on, because the stable rate falls with their
//! square; Adam forgives size, and unevenness in part.
//!
//! ## Example
//! ```toml
//! [data]
//! features = ["age", "income"]   # 40 and 50 000
//! scale = "none"
//! ```
//!
//! ## Fix
//! `scale = "standardize"`.
//!
//! ## When it is wrong
//! When a normalisation is the first layer, which is checked; when the columns of large numbers are all alike and
//! the optimizer is Adam, which is why that is `info`.
//!
//! ## Source
//! LeCun et al. 1998, Efficient BackProp, §4.3. Raw 0–255 inputs give chance with SGD and 0.997 with Adam,
//! measured.

use luthier_recipe::{LayerKind, Scale};
use serde_json::json;

use crate::reading;
use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT001",
    name: "unscaled-features",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("unscaled_features.rs"),
    look,
};

/// Typical size from which inputs count as large: three deviations of a standardised column are far below.
const LARGE: f64 = 10.0;
/// Size from which plain descent at usual rates diverges: 2 / 30² is a stable rate of 0.002.
const FATAL: f64 = 30.0;
/// Ratio of deviations from which one rate no longer fits all columns.
const UNEVEN: f64 = 100.0;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| plan.recipe.data.scale == Scale::None) else {
        return Vec::new();
    };
    let columns = reading::features(plan);
    let varied = || columns.iter().filter(|column| column.std > 0.0);
    let Some(largest) = columns.iter().max_by(|a, b| a.rms().total_cmp(&b.rms())) else { return Vec::new() };
    let widest = varied().max_by(|a, b| a.std.total_cmp(&b.std));
    let narrowest = varied().min_by(|a, b| a.std.total_cmp(&b.std));
    let (Some(widest), Some(narrowest)) = (widest, narrowest) else { return Vec::new() };
    let ratio = widest.std / narrowest.std;
    let normalised = Stack::of(plan)
        .is_some_and(|stack| matches!(stack.steps.first().map(|step| step.kind), Some(LayerKind::BatchNorm)));
    let (large, uneven) = (largest.rms() > LARGE, ratio > UNEVEN);
    if normalised || !(large || uneven) {
        return Vec::new();
    }
    let severity = match (reading::adaptive(plan), uneven) {
        (false, _) if largest.rms() > FATAL => Severity::Error,
        (false, _) | (true, true) => Severity::Warning,
        // one size for all, and a rule that divides by the gradient's
        (true, false) => Severity::Info,
    };
    let mut finding = rule
        .finding()
        .at("data.scale")
        .weigh(severity, if severity == Severity::Error { 0.93 } else { 0.75 })
        .evidence(format!("numbers of `{}` are typically {:.3e}", largest.name, largest.rms()));
    if uneven {
        let (wide, narrow) = (widest.name, narrowest.name);
        finding = finding.evidence(format!("`{wide}` varies {ratio:.0} times as much as `{narrow}`"));
    }
    let finding = finding
        .because(
            "gradients are proportional to inputs, so no learning rate fits all of these columns",
            "the run with scaled features is no better",
        )
        .fix("give every column mean 0 and deviation 1", [("data.scale", json!("standardize"))]);
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn large_and_uneven_columns_are_found() {
        let with = |features: &[(f64, f64)]| World {
            features: features
                .iter()
                .map(|(mean, std)| column(*mean, *std, mean - 3.0 * std, mean + 3.0 * std))
                .collect(),
            ..World::default()
        };
        let adam: &[&str] = &["data.scale=none", "optim.type=Adam", "optim.lr=0.001"];
        let sgd: &[&str] = &["data.scale=none"];
        let rows = [
            (with(&[(40.0, 10.0), (5e4, 2e4)]), sgd, Some(Severity::Error)),
            (with(&[(40.0, 10.0), (5e4, 2e4)]), adam, Some(Severity::Warning)),
            (with(&[(120.0, 60.0), (130.0, 70.0)]), adam, Some(Severity::Info)),
            (with(&[(12.0, 6.0), (1.0, 1.0)]), sgd, Some(Severity::Warning)),
            (with(&[(5.8, 0.8), (3.0, 0.4), (3.7, 1.8), (1.2, 0.8)]), sgd, None),
        ];
        for (world, sets, expected) in rows {
            assert_eq!(severity(&RULE, TABLE, sets, &world), expected, "{sets:?} {:?}", world.features);
        }
    }

    #[test]
    fn scaled_columns_and_a_normalisation_in_front_are_fine() {
        let world = World {
            features: vec![column(5e4, 2e4, 0.0, 1e5), column(1.0, 0.1, 0.0, 2.0)],
            ..World::default()
        };
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
        let layers = "model.layers=[{batch_norm=true},{linear=8},{act=\"relu\"},{linear=\"classes\"}]";
        assert_eq!(severity(&RULE, TABLE, &["data.scale=none", layers], &world), None);
    }
}
