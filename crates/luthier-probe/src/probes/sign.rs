//! A step of vanishing size against the gradient: the loss must fall as the first order says.

use luthier_doctor::{ProbeFacts, SignFacts};

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::look::{glance, gradients};
use crate::norms::told;

/// Share of the loss that the step is to take away: far above what fp32 rounds, far below where curvature counts.
const SHARE: f64 = 1e-3;

/// Samples at most.
const SAMPLES: usize = 32;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, clock: Clock) -> Outcome {
    let count = bench.affordable(1.5, clock.left(), SAMPLES);
    let sign = bench.exact(|bench| {
        let batch = bench.short(bench.small(count)?)?;
        let before = gradients(bench, &batch, true)?;
        bench.reset_buffers()?;
        let norm = bench.job.optimizer().grad_norm()?;
        let square = norm * norm;
        if !(square.is_finite() && square > 0.0 && before.is_finite()) {
            return Ok(Err(norm));
        }
        let step = SHARE * before.abs().max(1e-6) / square;
        {
            let _quiet = tch::no_grad_guard();
            let optimizer = bench.job.optimizer();
            for (values, grads) in optimizer.values().into_iter().zip(optimizer.gradients()?) {
                let _ = values.shallow_clone().f_sub_(&grads.f_mul_scalar(step)?)?;
            }
        }
        let after = told(glance(bench.runner(), &batch, true)?.minimised.f_double_value(&[])?);
        Ok(Ok(SignFacts { before, after, expected: -step * square }))
    })?;
    match sign {
        Ok(sign) => facts.sign = Some(sign),
        Err(norm) => {
            return Err(Left(format!("the gradient has the norm {norm}: there is no direction in it")));
        }
    }
    Ok(())
}
