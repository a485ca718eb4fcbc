//! Numbers that go into the network in evaluation: a batch of the validation split, or of the training split as
//! evaluation sees it.

use luthier_doctor::ProbeFacts;

use super::inputs::texts;
use super::{Outcome, Sums};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::samples::numbers;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let split = if bench.plan().data.split("valid").is_some() { "valid" } else { "train" };
    let mut sums = Sums::default();
    // as many samples as four training batches have, drawn: a split that is read in order may begin with one class
    let mut batches = bench.runner().feed.estimate(split, 4)?;
    while let Some(update) = batches.next_update(1)? {
        for batch in &update.batches {
            let Some(x) = numbers(batch) else { return Err(texts()) };
            sums.add(x, batch, |index| batches.place_of(index))?;
        }
        if clock.over() {
            break;
        }
    }
    facts.eval_inputs = Some(sums.facts());
    Ok(())
}
