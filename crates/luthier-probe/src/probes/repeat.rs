//! The same batch twice: in evaluation nothing may be random, in training dropout is.

use luthier_doctor::{ProbeFacts, RepeatFacts};

use super::Outcome;
use crate::bench::Bench;
use crate::clock::Clock;
use crate::look::{glance, look_seeded};
use crate::norms::told;

/// Samples that are looked at.
const SAMPLES: usize = 16;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, _: Clock) -> Outcome {
    // through the whole network: what is random may be in frozen parts
    let batch = bench.small(SAMPLES)?;
    let mut repeat = RepeatFacts::default();
    for pass in 0..2 {
        repeat.losses[pass] = told(glance(bench.runner(), &batch, false)?.loss()?);
        let seen = {
            let _quiet = tch::no_grad_guard();
            look_seeded(bench.runner(), &batch, true, pass as u64)?
        };
        repeat.training[pass] = told(seen.loss()?);
        bench.reset_buffers()?;
    }
    facts.repeat = Some(repeat);
    Ok(())
}
