//! Loss and gradient of a few samples, and of the same samples several times over: the same for a mean, as many times
//! as large for a sum.

use luthier_doctor::{ProbeFacts, ReductionFacts};

use super::Outcome;
use crate::bench::Bench;
use crate::clock::Clock;
use crate::look::gradients;
use crate::norms::told;
use crate::samples::one;

const SAMPLES: usize = 4;
const TIMES: usize = 4;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let count = bench.affordable(1.0 + TIMES as f64, clock.left(), SAMPLES);
    let few: Vec<u32> = bench.first.indices.iter().take(count).copied().collect();
    let many = few.repeat(TIMES);
    let mut reduction = ReductionFacts { sizes: [few.len() as u64, many.len() as u64], ..Default::default() };
    bench.exact(|bench| {
        for (at, indices) in [few, many].into_iter().enumerate() {
            let batch = bench.short(one(bench.runner(), "train", true, indices)?)?;
            // in evaluation: nothing is drawn, and no statistics are of the batch
            reduction.losses[at] = told(gradients(bench, &batch, false)?);
            reduction.grads[at] = told(bench.job.optimizer().grad_norm()?);
        }
        Ok(())
    })?;
    facts.reduction = Some(reduction);
    Ok(())
}
