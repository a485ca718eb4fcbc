//! Several streams of samples: every rule over plans looks at each of them.

use luthier_plan::Plan;

use crate::{Facts, Finding, Phase, rules};

/// What rules over plans find in the tables that streams beside the first give themselves. What is true of the model or
/// of the whole run is told of the first.
pub(crate) fn beside(facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let mut all: Vec<Finding> = Vec::new();
    for (other, (at, stream)) in plan.streams.iter().zip(plan.recipe.streams.iter().enumerate().skip(1)) {
        let own = Facts { plan: Some(other), recipe: facts.recipe, ..Facts::default() };
        let found = rules::all().iter().flat_map(|rule| (rule.look)(rule, &own));
        let new = found.filter(|finding| finding.phase == Phase::Static && stream.gives(&finding.place));
        all.extend(new.map(|finding| placed(finding, plan, at, &other.stream)));
    }
    all
}

/// The first stream's plan with what any stream moves, as rules about the model see it.
pub(crate) fn together(plan: &Plan) -> Plan {
    let mut whole = plan.clone();
    for other in &plan.streams {
        for (tensor, its) in whole.model.tensors.iter_mut().zip(&other.model.tensors) {
            tensor.trainable |= its.trainable;
        }
    }
    whole
}

/// A finding about the first stream's plan, at the keys where the recipe has them.
pub(crate) fn first(finding: Finding, plan: &Plan) -> Finding {
    if plan.streams.is_empty() || finding.phase != Phase::Static {
        return finding;
    }
    placed(finding, plan, 0, &plan.stream)
}

fn placed(mut finding: Finding, plan: &Plan, at: usize, name: &str) -> Finding {
    let key = |key: &str| plan.recipe.key_of(at, key);
    let place = key(&finding.place);
    if place == finding.place {
        return finding;
    }
    finding.place = place;
    finding.evidence.insert(0, format!("in stream `{name}`"));
    if let Some(fix) = &mut finding.fix {
        fix.patch =
            std::mem::take(&mut fix.patch).into_iter().map(|(name, value)| (key(&name), value)).collect();
    }
    finding
}
