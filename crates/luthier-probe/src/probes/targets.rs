//! Labels of the training split, counted.

use luthier_doctor::{ProbeFacts, TargetFacts};

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
    facts.targets = Some(TargetFacts { counts, ranges: Vec::new() });
    Ok(())
}
