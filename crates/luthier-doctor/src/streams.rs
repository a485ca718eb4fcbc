//! Several streams of samples: every rule over plans looks at each of them.

use luthier_plan::Plan;
use luthier_recipe::Stream;

use crate::{Facts, Finding, Phase, rules};

/// What rules over plans find in the streams beside the first, at those streams' own keys. What is true of the model is
/// told of the first alone.
pub(crate) fn beside(facts: &Facts, known: &[Finding]) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let mut all: Vec<Finding> = Vec::new();
    for (at, other) in plan.streams.iter().enumerate() {
        let own = Facts { plan: Some(other), recipe: facts.recipe, ..Facts::default() };
        let found = rules::all().iter().flat_map(|rule| (rule.look)(rule, &own));
        let new = found.filter(|finding| {
            let same = |other: &Finding| other.code == finding.code && other.evidence == finding.evidence;
            finding.phase == Phase::Static && !known.iter().chain(&all).any(same)
        });
        let placed: Vec<Finding> = new.map(|finding| placed(finding, plan, at + 1, &other.stream)).collect();
        all.extend(placed);
    }
    all
}

/// A finding about the first stream's plan, at the keys where the recipe has them.
pub(crate) fn first(finding: Finding, plan: &Plan) -> Finding {
    if plan.streams.is_empty() || finding.phase != Phase::Static {
        return finding;
    }
    placed(finding, plan, 0, &plan.stream)
}

fn placed(mut finding: Finding, plan: &Plan, at: usize, name: &str) -> Finding {
    let Some(stream) = plan.recipe.streams.get(at) else { return finding };
    if !its(stream, &finding.place) {
        return finding;
    }
    finding.place = format!("streams[{at}].{}", finding.place);
    finding.evidence.insert(0, format!("in stream `{name}`"));
    if let Some(fix) = &mut finding.fix {
        let patch = std::mem::take(&mut fix.patch);
        let key = |key: String| if its(stream, &key) { format!("streams[{at}].{key}") } else { key };
        fix.patch = patch.into_iter().map(|(name, value)| (key(name), value)).collect();
    }
    finding
}

/// Whether the stream itself gives the table that a key is in.
fn its(stream: &Stream, key: &str) -> bool {
    match key.split(['.', '[']).next() {
        Some("data") => stream.data.is_some(),
        Some("optim") => stream.optim.is_some(),
        Some("schedule") => stream.schedule.is_some(),
        _ => false,
    }
}
