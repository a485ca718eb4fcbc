//! # ACT003 no-activation
//!
//! ## What it finds
//! Layers with weights that follow each other without an activation between.
//!
//! ## Why it hurts
//! Two linear maps in a row are one linear map: depth without what depth is for. Data that a line divides are
//! learned all the same.
//!
//! ## How it is measured
//! From the layers it is a note. Where no activation at all is left, the whole network is one linear map: then the
//! run's beginning is played, and if neither its rate nor a tenth of it comes below the loss of knowing nothing in
//! 100 updates or more, it is a warning: no line divides these data.
//!
//! ## Example
//! ```toml
//! [model]
//! layers = [{ linear = 64 }, { linear = 10 }]
//! ```
//!
//! ## Fix
//! An activation between, such as `{ act = "relu" }`.
//!
//! ## When it is wrong
//! On data that a line divides, and for a bottleneck on purpose: accuracy 1.0 without any on such data, measured.
//!
//! ## Source
//! Linear algebra.

use luthier_recipe::{Act, LayerKind};
use serde_json::json;

use crate::rules::probed::signs;
use crate::stack::Stack;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "ACT003",
    name: "no-activation",
    category: Category::Activation,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("missing.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(stack) = facts.plan.and_then(Stack::of) else { return Vec::new() };
    let weighted = stack.weighted();
    let bare = weighted.windows(2).find(|pair| {
        let between = &stack.steps[pair[0]..pair[1]];
        !between.iter().any(|step| {
            matches!(step.kind, LayerKind::MaxPool(_))
                || matches!(step.kind, LayerKind::Act(act) if act != Act::Identity)
        })
    });
    let Some(pair) = bare else { return Vec::new() };
    let (first, second) = (stack.steps[pair[0]].index, stack.steps[pair[1]].index);
    let finding = rule
        .finding()
        .at(format!("model.layers[{second}]"))
        .weigh(Severity::Info, 0.9)
        .evidence(format!("between layers {first} and {second} stands no activation"))
        .because("two linear maps in a row are one", "the data can be told apart by a line");
    let linear = !stack.steps.iter().any(|step| {
        matches!(step.kind, LayerKind::MaxPool(_))
            || matches!(step.kind, LayerKind::Act(act) if act != Act::Identity)
    });
    let Some((updates, loss, chance)) = learns_nothing(facts).filter(|_| linear) else {
        return vec![finding];
    };
    let finding = finding
        .weigh(Severity::Warning, 0.8)
        .evidence("there is no activation anywhere: the network is one linear map")
        .evidence(format!(
            "after {updates} updates the loss is {loss:.3}, that of knowing nothing {chance:.3}, and no other rate does better"
        ));
    let empty =
        stack.steps[pair[0]..pair[1]].iter().find(|step| matches!(step.kind, LayerKind::Act(Act::Identity)));
    vec![match empty {
        Some(step) => {
            finding.fix("an activation", [(&format!("model.layers[{}].act", step.index), json!("relu"))])
        }
        None => finding,
    }]
}

/// The run's beginning did not come below what knowing nothing costs: updates, its loss, that cost.
fn learns_nothing(facts: &Facts) -> Option<(usize, f64, f64)> {
    let probes = facts.probes?;
    let chance = probes.start.as_ref()?.expected?;
    let (updates, loss) = signs::learns_nothing(probes.rehearsal.as_ref()?, chance)?;
    Some((updates, loss, chance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn two_linear_maps_in_a_row_are_info() {
        let world = World::default();
        assert_eq!(
            severity(&RULE, TABLE, &["model.layers=[{linear=8},{linear=\"classes\"}]"], &world),
            Some(Severity::Info)
        );
        assert_eq!(severity(&RULE, TABLE, &["model.layers[1].act=identity"], &world), Some(Severity::Info));
        assert_eq!(severity(&RULE, TABLE, &["model.layers=[{linear=\"classes\"}]"], &world), None);
        assert_eq!(severity(&RULE, TABLE, &[], &world), None);
    }
}
