//! Several streams of samples: every rule over plans and over probes looks at each of them.

use luthier_plan::Plan;

use crate::{Facts, Finding, Phase, rules};

/// What rules over plans and over probes find in the tables that streams beside the first give themselves. What is true of
/// the model or of the whole run is told of the first.
pub(crate) fn beside(facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let mut all: Vec<Finding> = Vec::new();
    for (other, (at, stream)) in plan.streams.iter().zip(plan.recipe.streams.iter().enumerate().skip(1)) {
        let measured = facts.probes.and_then(|probes| {
            probes.streams.iter().find(|(name, _)| *name == other.stream).map(|(_, its)| its)
        });
        let own = Facts { plan: Some(other), recipe: facts.recipe, probes: measured, ..Facts::default() };
        let found = rules::all().iter().flat_map(|rule| (rule.look)(rule, &own));
        let before = |finding: &Finding| matches!(finding.phase, Phase::Static | Phase::Probe);
        let new = found.filter(|finding| before(finding) && stream.gives(&finding.place));
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
    if plan.streams.is_empty() {
        return finding;
    }
    placed(finding, plan, 0, &plan.stream)
}

fn placed(mut finding: Finding, plan: &Plan, at: usize, name: &str) -> Finding {
    let key = |key: &str| plan.recipe.key_of(at, key);
    if let Some(fix) = &mut finding.fix {
        fix.patch =
            std::mem::take(&mut fix.patch).into_iter().map(|(name, value)| (key(&name), value)).collect();
    }
    let place = key(&finding.place);
    if place != finding.place {
        finding.place = place;
        finding.evidence.insert(0, format!("in stream `{name}`"));
    }
    finding
}
