//! Numbers that go into the network in evaluation: a batch of the validation split, or of the training split as
//! evaluation sees it.

use luthier_doctor::ProbeFacts;

use super::Outcome;
use super::inputs::looked_at;
use crate::bench::Bench;
use crate::clock::Clock;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let split = if bench.plan().data.split("valid").is_some() { "valid" } else { "train" };
    // as many samples as four training batches have, drawn: a split that is read in order may begin with one class
    let batches = bench.runner().feed.estimate(split, 4)?;
    facts.eval_inputs = Some(looked_at(batches, clock)?);
    Ok(())
}
