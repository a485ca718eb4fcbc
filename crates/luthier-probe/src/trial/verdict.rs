//! From the runs of a trial to a proof.

use luthier_doctor::{Outcome, Proof};

use super::Arm;

/// A run that diverged counts as this many times the worst loss of those that did not.
const DIVERGED: f64 = 10.0;

/// A noise below this share of what is measured is small: what does not show above it is not there.
const SMALL: f64 = 0.05;

/// Judges pairs of runs by their loss, or by their score where the loss was changed.
pub(super) fn judge(before: &[Arm], after: &[Arm], by_loss: bool) -> Proof {
    let of_streams = named(before.iter().chain(after), by_loss);
    let finite = before.iter().chain(after).filter_map(|arm| arm.loss);
    let worst = DIVERGED * finite.fold(1.0, f64::max);
    let value = |arm: &Arm| if by_loss { arm.loss.unwrap_or(worst) } else { arm.score };
    let (before, after): (Vec<f64>, Vec<f64>) =
        before.iter().zip(after).map(|(a, b)| (value(a), value(b))).unzip();
    let metric = if by_loss { "valid.loss" } else { "valid.score" };
    let metric = format!("{metric}{of_streams}");
    let better = |(a, b): (&f64, &f64)| if by_loss { a - b } else { b - a };
    let gains: Vec<f64> = before.iter().zip(&after).map(better).collect();
    let seeds = gains.len() as u64;
    let some = !gains.is_empty();
    let (gain, noise) = (mean(&gains), error(&gains));
    let (before, after) = (mean(&before), mean(&after));
    let known = seeds >= 2;
    let verdict = if !known {
        Outcome::Inconclusive
    } else if gain > 2.0 * noise && gains.iter().all(|gain| *gain > 0.0) {
        Outcome::Proved
    } else if gain <= 0.0 || noise <= SMALL * before.abs() {
        Outcome::Refuted
    } else {
        Outcome::Inconclusive
    };
    Proof {
        metric,
        before: some.then_some(before),
        after: some.then_some(after),
        noise: known.then_some(noise),
        seeds,
        verdict,
    }
}

/// Of which streams a number is the sum or the mean, where there are several.
fn named<'a>(mut arms: impl Iterator<Item = &'a Arm>, by_loss: bool) -> String {
    let Some(arm) = arms.find(|arm| arm.streams.len() > 1) else { return String::new() };
    let names: Vec<&str> = arm.streams.iter().map(|stream| stream.name.as_str()).collect();
    format!(" ({} of {})", if by_loss { "sum" } else { "mean" }, names.join(" and "))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Standard error of the mean.
fn error(values: &[f64]) -> f64 {
    let (mean, n) = (mean(values), values.len() as f64);
    if n < 2.0 {
        return 0.0;
    }
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails should fail")]

    use super::*;
    use crate::trial::StreamEnd;

    fn arms(losses: &[f64]) -> Vec<Arm> {
        let arm = |loss: &f64| Arm {
            loss: loss.is_finite().then_some(*loss),
            score: 1.0 / (1.0 + loss),
            updates: 10,
            streams: Vec::new(),
        };
        losses.iter().map(arm).collect()
    }

    fn verdict(before: &[f64], after: &[f64]) -> Outcome {
        judge(&arms(before), &arms(after), true).verdict
    }

    #[test]
    fn better_by_more_than_the_noise_in_every_pair_is_proved() {
        assert_eq!(verdict(&[2.3, 2.31, 2.29], &[0.4, 0.5, 0.45]), Outcome::Proved);
        // one pair says otherwise
        assert_eq!(verdict(&[2.3, 2.3, 1.0], &[0.4, 0.5, 1.2]), Outcome::Inconclusive);
    }

    #[test]
    fn worse_or_the_same_is_refuted() {
        assert_eq!(verdict(&[0.4, 0.5], &[0.6, 0.7]), Outcome::Refuted);
        assert_eq!(verdict(&[0.4, 0.5], &[0.4, 0.5]), Outcome::Refuted);
        // what there is lies below a small noise
        assert_eq!(verdict(&[1.0, 1.0], &[0.99, 1.005]), Outcome::Refuted);
    }

    #[test]
    fn one_pair_proves_nothing() {
        let proof = judge(&arms(&[2.0]), &arms(&[0.1]), true);
        assert_eq!((proof.verdict, proof.noise, proof.before), (Outcome::Inconclusive, None, Some(2.0)));
        assert_eq!(judge(&[], &[], true).before, None);
    }

    #[test]
    fn a_run_that_diverged_is_worse_than_any_that_did_not() {
        let nan = f64::NAN;
        assert_eq!(verdict(&[nan, nan], &[3.0, 2.9]), Outcome::Proved);
        assert_eq!(verdict(&[3.0, 2.9], &[nan, nan]), Outcome::Refuted);
        assert!(judge(&arms(&[nan, nan]), &arms(&[3.0, 2.9]), true).before.unwrap() >= 30.0);
    }

    #[test]
    fn several_streams_are_named() {
        let mut both = arms(&[2.0, 2.1]);
        let end = |name: &str| StreamEnd { name: name.into(), loss: 1.0, score: 0.5 };
        both[0].streams = vec![end("new"), end("replay")];
        let proof = judge(&both, &arms(&[1.0, 1.1]), true);
        assert_eq!(proof.metric, "valid.loss (sum of new and replay)");
        assert_eq!(judge(&both, &both, false).metric, "valid.score (mean of new and replay)");
    }

    #[test]
    fn where_the_loss_was_changed_the_score_decides() {
        let proof = judge(&arms(&[2.3, 2.4]), &arms(&[0.4, 0.5]), false);
        assert_eq!((proof.metric.as_str(), proof.verdict), ("valid.score", Outcome::Proved));
    }
}
