//! The same training samples as two epochs see them.

use luthier_doctor::ProbeFacts;
use tch::Kind;

use super::Outcome;
use super::inputs::texts;
use crate::bench::Bench;
use crate::clock::Clock;
use crate::norms::told;
use crate::samples::{in_epoch, numbers};

/// Samples that are looked at.
const SAMPLES: usize = 8;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, _: Clock) -> Outcome {
    let indices: Vec<u32> = bench.first.indices.iter().take(SAMPLES).copied().collect();
    let views = [
        in_epoch(bench.runner(), "train", true, 0, indices.clone())?,
        in_epoch(bench.runner(), "train", true, 1, indices)?,
    ];
    let (Some(a), Some(b)) = (numbers(&views[0]), numbers(&views[1])) else { return Err(texts()) };
    let apart = a.f_sub(b)?.f_abs()?.f_mean(Kind::Double)?.f_double_value(&[])?;
    facts.views = Some(told(apart));
    Ok(())
}
