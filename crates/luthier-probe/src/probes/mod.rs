//! The probes, in order of what they tell for their time.

mod curvature;
mod eval_inputs;
mod future;
mod inputs;
mod overfit;
mod padding;
mod permuted;
mod positions;
mod reduction;
mod rehearsal;
mod relation;
mod repeat;
mod rows;
mod sentences;
mod sign;
mod start;
mod steps;
mod targets;
mod twins;
mod views;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use luthier_doctor::ProbeFacts;
use luthier_train::TrainError;

use crate::bench::Bench;
use crate::clock::Clock;

pub(crate) use overfit::{by_heart, learned};

/// Why a probe has nothing to say, as a sentence.
pub(crate) struct Left(pub String);

impl From<TrainError> for Left {
    fn from(error: TrainError) -> Self {
        Left(error.to_string())
    }
}

impl From<tch::TchError> for Left {
    fn from(error: tch::TchError) -> Self {
        TrainError::from(error).into()
    }
}

type Outcome = Result<(), Left>;

/// One probe.
struct Probe {
    name: &'static str,
    /// Share of the whole budget that it may use
    share: f64,
    run: fn(&mut Bench, &mut ProbeFacts, Clock) -> Outcome,
}

const fn probe(
    name: &'static str,
    share: f64,
    run: fn(&mut Bench, &mut ProbeFacts, Clock) -> Outcome,
) -> Probe {
    Probe { name, share, run }
}

/// What costs a forward pass or less comes first, then what others build on, then the fits.
const ALL: &[Probe] = &[
    probe("targets", 0.01, targets::run),
    probe("relation", 0.02, relation::run),
    probe("inputs", 0.02, inputs::run),
    probe("eval_inputs", 0.02, eval_inputs::run),
    probe("views", 0.02, views::run),
    probe("start", 0.15, start::run),
    probe("steps", 0.15, steps::run),
    probe("repeat", 0.05, repeat::run),
    probe("future", 0.03, future::run),
    probe("padding", 0.03, padding::run),
    probe("positions", 0.03, positions::run),
    probe("rows", 0.05, rows::run),
    probe("sign", 0.05, sign::run),
    probe("reduction", 0.06, reduction::run),
    probe("overfit", 0.30, overfit::run),
    probe("rehearsal", 0.25, rehearsal::run),
    probe("curvature", 0.12, curvature::run),
    probe("permuted", 0.40, permuted::run),
];

/// Those that need no answers: of a contrast, updates and where they lead.
const CONTRASTS: &[Probe] = &[
    probe("inputs", 0.05, inputs::run),
    probe("eval_inputs", 0.05, eval_inputs::run),
    probe("steps", 0.30, steps::run),
    probe("rehearsal", 0.60, rehearsal::survives),
];

/// Runs every probe that fits the clock. An error or a panic costs the probe it comes from, and no other.
pub(crate) fn run(bench: &mut Bench, clock: Clock) -> ProbeFacts {
    run_these(if bench.contrasts() { CONTRASTS } else { ALL }, bench, clock)
}

fn run_these(probes: &[Probe], bench: &mut Bench, clock: Clock) -> ProbeFacts {
    // what a panic leaves switched off, such as gradients, is as it was when the guard goes
    let _as_it_was = tch::no_grad_guard();
    all(probes, bench, clock)
}

fn all(probes: &[Probe], bench: &mut Bench, clock: Clock) -> ProbeFacts {
    let mut facts = ProbeFacts::default();
    for probe in probes {
        if clock.over() {
            let why = format!("the budget was spent after {:.1} s", clock.spent());
            facts.skipped.push((probe.name.into(), why));
            continue;
        }
        let began = Instant::now();
        let run = || tch::with_grad(|| (probe.run)(bench, &mut facts, clock.share(probe.share)));
        let result = catch_unwind(AssertUnwindSafe(run));
        let why = match result {
            Ok(Ok(())) => None,
            Ok(Err(Left(why))) => Some(why),
            Err(payload) => Some(words(payload.as_ref())),
        };
        facts.skipped.extend(why.map(|why| (probe.name.into(), why)));
        if let Err(error) = bench.reset() {
            facts.skipped.push((probe.name.into(), format!("the model could not be put back: {error}")));
        }
        facts.seconds.push((probe.name.into(), began.elapsed().as_secs_f64()));
    }
    facts
}

fn words(payload: &(dyn Any + Send)) -> String {
    let words = payload.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without words");
    format!("it panicked: {}", words.lines().next().unwrap_or_default())
}

#[cfg(test)]
#[path = "../../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use std::time::Duration;

    use super::*;

    fn panics(bench: &mut Bench, _: &mut ProbeFacts, _: Clock) -> Outcome {
        // with gradients off, the weights changed and the precision another one
        tch::no_grad(|| {
            for entry in bench.runner().model.trainable() {
                let _ = entry.tensor.shallow_clone().zero_();
            }
            bench.exact(|_| panic!("the probe has a bug"))
        })?;
        Ok(())
    }

    fn fails(_: &mut Bench, _: &mut ProbeFacts, _: Clock) -> Outcome {
        Err(Left("there is nothing to see".into()))
    }

    #[test]
    fn what_one_probe_breaks_the_others_do_not_notice() {
        let _alone = common::alone();
        let facts = |probes: &[Probe]| {
            let mut bench = Bench::new(common::prepared(common::TEXTS, &[])).unwrap();
            run_these(probes, &mut bench, Clock::new(Duration::from_secs(60)))
        };
        let start = || probe("start", 0.2, start::run);
        let steps = || probe("steps", 0.2, steps::run);
        let broken = facts(&[probe("bug", 0.2, panics), start(), probe("none", 0.2, fails), steps()]);
        let whole = facts(&[start(), steps()]);
        assert!(whole.start.is_some() && whole.steps.len() == 5);
        assert_eq!((broken.start, broken.steps), (whole.start, whole.steps));
        let said = [("bug", "it panicked: the probe has a bug"), ("none", "there is nothing to see")];
        assert_eq!(broken.skipped, said.map(|(name, why)| (name.to_owned(), why.to_owned())));
        // and the thread that asked still wants gradients
        assert!(tch::Tensor::from(1.0).set_requires_grad(true).square().requires_grad());
    }
}
