//! Curves that something else logged, as if a run had written them down.

use luthier_plan::{Outcome, Position};
use luthier_track::{Curve, EndPoint, EpochPoint, EvalPoint, Metrics, Point, Scalars, StepPoint};

use super::RunFacts;

/// What a curve shows, by the words of its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    TrainLoss,
    ValidLoss,
    TrainAccuracy,
    ValidAccuracy,
    Rate,
    GradientNorm,
}

/// What the words of a tag say: `Loss/train`, `val_loss`, `train/learning_rate`, `lr-Adam`.
fn shows(tag: &str) -> Option<Shows> {
    let lower = tag.to_lowercase();
    let words: Vec<&str> = lower.split(|letter: char| !letter.is_alphanumeric()).collect();
    let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let valid = has(&["val", "valid", "validation", "eval", "test", "dev"]);
    if has(&["lr", "rate"]) && (has(&["lr"]) || has(&["learning"])) {
        return Some(Shows::Rate);
    }
    if has(&["grad", "gradient"]) && has(&["norm"]) {
        return Some(Shows::GradientNorm);
    }
    let loss = words.iter().any(|word| word.ends_with("loss"));
    let accuracy = has(&["acc", "accuracy", "top1"]);
    match (loss, accuracy, valid) {
        (true, _, true) => Some(Shows::ValidLoss),
        (true, _, false) => Some(Shows::TrainLoss),
        (_, true, true) => Some(Shows::ValidAccuracy),
        (_, true, false) => Some(Shows::TrainAccuracy),
        _ => None,
    }
}

/// The curve that shows something: of several the one with the most points, then the one with the shortest name.
fn pick(scalars: &Scalars, what: Shows) -> Option<(&str, &Curve)> {
    let all =
        scalars.curves.iter().filter(|(tag, curve)| shows(tag) == Some(what) && !curve.points.is_empty());
    let rank = |(tag, curve): &(&String, &Curve)| (curve.points.len(), std::cmp::Reverse(tag.len()));
    all.max_by_key(rank).map(|(tag, curve)| (tag.as_str(), curve))
}

impl RunFacts {
    /// What event files show: losses, accuracies and rates, told by the words of their tags.
    pub fn of_scalars(scalars: &Scalars) -> Self {
        let of = |what| pick(scalars, what).map(|(_, curve)| curve.points.as_slice()).unwrap_or_default();
        let train = of(Shows::TrainLoss);
        let (rates, norms) = (of(Shows::Rate), of(Shows::GradientNorm));
        let mut metrics = Metrics::default();
        for (index, point) in train.iter().enumerate() {
            metrics.steps.push(StepPoint {
                at: at(index as u64 + 1),
                loss: point.value,
                correct: 0,
                count: 0,
                lr: before(rates, point).map(|rate| vec![rate]).unwrap_or_default(),
                grad_norm: before(norms, point).unwrap_or(0.0),
                clipped: false,
                loss_scale: None,
                skipped: false,
                stream: String::new(),
                tasks: Vec::new(),
                gradient_cosine: Vec::new(),
            });
        }
        let (losses, right) = (of(Shows::ValidLoss), of(Shows::ValidAccuracy));
        let count = samples(right);
        // some count validation in epochs and training in updates: the clock knows which came when
        let place = |point: &Point| train.iter().filter(|trained| trained.time <= point.time).count() as u64;
        let mut since = 0;
        for point in losses {
            let here = at(place(point));
            let accuracy =
                right.iter().find(|other| other.step == point.step).map(|other| share(other.value));
            metrics.evals.push(EvalPoint {
                at: here,
                split: "valid".into(),
                loss: point.value,
                accuracy,
                r2: None,
                mae: None,
                count,
                estimate: false,
                confusion: luthier_track::Confusion::default(),
                stream: String::new(),
                tasks: Vec::new(),
            });
            let part = &train[since.min(train.len())..(here.update as usize).min(train.len())];
            if !part.is_empty() {
                let loss = part.iter().map(|point| point.value).sum::<f64>() / part.len() as f64;
                let accuracy = part.last().and_then(|last| before(of(Shows::TrainAccuracy), last)).map(share);
                metrics.epochs.push(EpochPoint {
                    at: here,
                    loss,
                    accuracy,
                    stream: String::new(),
                    tasks: Vec::new(),
                });
                since = here.update as usize;
            }
        }
        // a log does not say how its run ended
        metrics.end = train.last().map(|_| EndPoint {
            at: at(train.len() as u64),
            outcome: Outcome::Finished,
            best_update: None,
            best_metric: None,
            rule: None,
            why: None,
        });
        RunFacts { unseen: unseen(scalars, &metrics, count), metrics, monitor: Vec::new() }
    }
}

fn at(update: u64) -> Position {
    Position { update, epoch: 0, samples: 0, epochs: 0.0 }
}

/// The number that a curve had when a point of another one was written.
fn before(curve: &[Point], point: &Point) -> Option<f64> {
    let until = curve.partition_point(|other| other.step <= point.step);
    curve.get(until.saturating_sub(1)).map(|other| other.value)
}

/// An accuracy as a share: some log percents.
fn share(accuracy: f64) -> f64 {
    if accuracy > 1.0 { accuracy / 100.0 } else { accuracy }
}

/// Samples of which these are shares of right answers: the fewest that give every one of them as a whole number; 0
/// where none do.
fn samples(accuracies: &[Point]) -> u64 {
    const MOST: u64 = 20_000;
    let shares: Vec<f64> = accuracies.iter().map(|point| share(point.value)).collect();
    let telling = shares.iter().filter(|share| **share > 0.0 && **share < 1.0).count();
    // logs hold 24 bits of a number
    let whole = |count: u64| {
        shares.iter().all(|share| {
            let right = share * count as f64;
            (right - right.round()).abs() < 2e-7 * count as f64 + 1e-6
        })
    };
    if telling < 3 { 0 } else { (2..=MOST).find(|count| whole(*count)).unwrap_or(0) }
}

fn unseen(scalars: &Scalars, metrics: &Metrics, count: u64) -> Vec<String> {
    let mut unseen = scalars.cut.clone();
    let named = |what, words: &str| match pick(scalars, what) {
        Some((tag, curve)) => format!("{words}: `{tag}`, {} points", curve.points.len()),
        None => format!("{words}: no curve is named so"),
    };
    unseen.push(named(Shows::TrainLoss, "training loss"));
    unseen.push(named(Shows::ValidLoss, "validation loss"));
    unseen.push(named(Shows::Rate, "learning rate"));
    if metrics.steps.len() < 20 {
        unseen.push(format!(
            "the training loss has {} points: too few to tell a trend from noise",
            metrics.steps.len()
        ));
    }
    if count == 0 && metrics.evals.iter().any(|eval| eval.accuracy.is_some()) {
        unseen.push("how many samples the accuracy is of is not logged".into());
    }
    unseen.push("there is no recipe beside the curves: what was planned was not looked at".into());
    unseen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, judge};

    fn curve(values: impl IntoIterator<Item = (i64, f64)>) -> Curve {
        let points = values.into_iter().map(|(step, value)| Point { step, time: step as f64, value });
        Curve { points: points.collect() }
    }

    fn codes(curves: Vec<(&str, Curve)>) -> Vec<String> {
        let curves = curves.into_iter().map(|(tag, curve)| (tag.to_owned(), curve)).collect();
        let run = RunFacts::of_scalars(&Scalars { curves, ..Scalars::default() });
        let verdict = judge("logs", &Facts { run: Some(&run), ..Facts::default() });
        let grave = verdict.findings.into_iter().filter(|finding| finding.severity > crate::Severity::Info);
        grave.map(|finding| finding.code).collect()
    }

    #[test]
    fn tags_are_told_by_their_words() {
        for (tag, expected) in [
            ("Loss/train", Some(Shows::TrainLoss)),
            ("val_loss", Some(Shows::ValidLoss)),
            ("Synthetic Loss/val", Some(Shows::ValidLoss)),
            ("train/learning_rate", Some(Shows::Rate)),
            ("lr-Adam", Some(Shows::Rate)),
            ("eval/accuracy", Some(Shows::ValidAccuracy)),
            ("grad_norm", Some(Shows::GradientNorm)),
            ("loss/valid", Some(Shows::ValidLoss)),
            ("error rate", None),
            ("epoch", None),
        ] {
            assert_eq!(shows(tag), expected, "{tag}");
        }
    }

    #[test]
    fn a_rate_that_is_gone_and_a_validation_that_stands_still_are_found() {
        // down to 2.0 while there is a rate, and no further
        let noise = |step: i64| 0.02 * ((step * 7919 % 13) as f64 - 6.0);
        let loss = |step: i64| if step < 20 { 6.9 - 0.09 * step as f64 } else { 5.1 } + noise(step);
        let losses = || curve((0..600).map(|step| (step, loss(step))));
        let rates = curve((0..600).map(|step| (step, 0.01 * 0.5f64.powi(step as i32 / 3))));
        assert!(codes(vec![("train_loss", losses()), ("lr", rates)]).contains(&"SCH101".to_owned()));
        let constant = curve((1..14).map(|epoch| (epoch * 42, 4.6052)));
        assert!(codes(vec![("train_loss", losses()), ("val_loss", constant)]).contains(&"EVA101".to_owned()));
    }

    #[test]
    fn a_run_that_learns_has_nothing_and_one_that_is_not_finite_has() {
        let learns = |step: i64| 2.3 * (-0.01 * step as f64).exp() + 0.05 + 0.01 * (step % 5) as f64;
        let valid = curve((1..10).map(|epoch| (epoch * 50, learns(epoch * 50) + 0.1)));
        let loss = || curve((0..500).map(|step| (step, learns(step))));
        assert_eq!(codes(vec![("Loss/train", loss()), ("Loss/val", valid)]), [""; 0]);
        let bad = curve((0..500).map(|step| (step, if step < 300 { learns(step) } else { f64::NAN })));
        assert!(codes(vec![("loss", bad)]).contains(&"LOS101".to_owned()));
        assert_eq!(codes(vec![]), [""; 0]);
    }

    #[test]
    fn samples_are_counted_from_shares() {
        let of = |n: f64| curve([3.0, 7.0, 11.0, 13.0].map(|k| (k as i64, f64::from((k / n) as f32)))).points;
        assert_eq!(samples(&of(17.0)), 17);
        assert_eq!(samples(&of(4000.0)), 4000);
        assert_eq!(samples(&[]), 0);
    }
}
