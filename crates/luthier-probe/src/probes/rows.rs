//! Does one sample's output depend on the other samples of its batch.

use luthier_doctor::ProbeFacts;

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::look::glance;
use crate::norms::told;
use crate::samples::one;

/// Samples of each of the two batches.
const SAMPLES: usize = 4;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, _: Clock) -> Outcome {
    let order = &bench.order;
    if order.len() < 3 {
        return Err(Left("it takes three training samples".into()));
    }
    let others = (order.len() - 1).min(2 * (SAMPLES - 1)) / 2;
    let with = |others: &[u32]| [&order[..1], others].concat();
    let indices = [with(&order[1..=others]), with(&order[others + 1..=2 * others])];
    let outputs = bench.exact(|bench| {
        let mut outputs = Vec::new();
        for indices in indices {
            let batch = one(bench.runner(), "train", false, indices)?;
            outputs.push(glance(bench.runner(), &batch, false)?.outputs);
        }
        Ok(outputs)
    })?;
    let [a, b] = &outputs[..] else { return Ok(()) };
    // of each output over the samples: how much samples differ at all
    let spread = tch::Tensor::f_cat(&[a, b], 0)?.f_std_dim(0, false, false)?.f_max()?.f_double_value(&[])?;
    let apart = a.f_get(0)?.f_sub(&b.f_get(0)?)?.f_abs()?.f_max()?.f_double_value(&[])?;
    facts.rows = Some(if apart == 0.0 { 0.0 } else { told(apart / spread) });
    Ok(())
}
