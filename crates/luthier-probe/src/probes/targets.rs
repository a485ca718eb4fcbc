//! Labels of the training split, counted, or ranges of its targets.

use luthier_doctor::{ProbeFacts, TargetFacts};
use luthier_plan::TargetPlan;

use super::Outcome;
use crate::bench::Bench;
use crate::clock::Clock;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, _: Clock) -> Outcome {
    let mut counts = vec![0; bench.plan().data.classes.len()];
    for label in bench.runner().feed.labels("train")? {
        if let Some(count) = usize::try_from(*label).ok().and_then(|label| counts.get_mut(label)) {
            *count += 1;
        }
    }
    let targets = bench.plan().table.as_ref().map_or(&[][..], |table| table.targets.as_slice());
    let ranges = targets.iter().map(|TargetPlan { stats, scale, .. }| {
        [scale.apply(stats.min), scale.apply(stats.max), scale.apply(stats.mean), stats.std / scale.divisor]
    });
    facts.targets = Some(TargetFacts { counts, ranges: ranges.collect() });
    Ok(())
}
