//! From the runs of a trial to a proof.

use luthier_doctor::{Outcome, Proof};

use luthier_recipe::Recipe;

use super::{Arm, Patch, redefines};

/// A run that diverged counts as this many times the worst loss of those that did not.
const DIVERGED: f64 = 10.0;

/// A noise below this share of what is measured is small: what does not show above it is not there.
const SMALL: f64 = 0.05;

/// What runs are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Loss on the held-out samples; of a contrast, of the last epoch
    Loss(&'static str),
    /// The share of right answers, R², or what nearest neighbours say
    Score(&'static str),
    /// Whether a contrast ended with numbers, without a collapse and with work left
    Sound,
}

impl By {
    /// What fits a recipe and a change of it, and what came of both.
    ///
    /// Where no contrast was sound as it is and every one is with the change, that is what the change does. Else what it has
    /// learned is what labels say that it never saw. Its loss is of its own views, keys and temperature: two of them are
    /// compared where nothing but the way down was changed.
    pub fn of(recipe: &Recipe, patch: &Patch, before: &[Arm], after: &[Arm]) -> Self {
        if recipe.contrastive.is_some() {
            let labelled = before.iter().chain(after).all(|arm| arm.labelled);
            let cured = !before.is_empty() && !before.iter().any(|arm| arm.sound);
            if cured && after.iter().all(|arm| arm.sound) {
                return By::Sound;
            }
            let way = ["optim.", "schedule.", "train.clip_grad_norm", "train.precision", "train.grad_scaler"];
            let same = patch.keys().all(|key| way.iter().any(|way| key.starts_with(way)));
            return match (labelled, same) {
                (true, _) => By::Score("valid.knn"),
                (false, true) => By::Loss("train.loss"),
                (false, false) => By::Sound,
            };
        }
        let changed = patch.keys().any(|key| redefines(key));
        if changed { By::Score("valid.score") } else { By::Loss("valid.loss") }
    }

    fn metric(self) -> &'static str {
        match self {
            By::Loss(metric) | By::Score(metric) => metric,
            By::Sound => "run.sound",
        }
    }
}

/// Judges pairs of runs.
pub(super) fn judge(before: &[Arm], after: &[Arm], by: By) -> Proof {
    let by_loss = matches!(by, By::Loss(_));
    let of_streams = named(before.iter().chain(after), by_loss);
    let finite = before.iter().chain(after).filter_map(|arm| arm.loss);
    let worst = DIVERGED * finite.fold(1.0, f64::max);
    let value = |arm: &Arm| match by {
        By::Loss(_) => arm.loss.unwrap_or(worst),
        By::Score(_) => arm.score,
        By::Sound => f64::from(u8::from(arm.sound)),
    };
    let (before, after): (Vec<f64>, Vec<f64>) =
        before.iter().zip(after).map(|(a, b)| (value(a), value(b))).unzip();
    let metric = format!("{}{of_streams}", by.metric());
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
    } else if by == By::Sound && gain == 0.0 && before > 0.0 {
        // both went to their end: which of them is better is not to be told
        Outcome::Inconclusive
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

    const LOSS: By = By::Loss("valid.loss");

    fn arms(losses: &[f64]) -> Vec<Arm> {
        let arm = |loss: &f64| Arm {
            loss: loss.is_finite().then_some(*loss),
            score: if loss.is_finite() { 1.0 / (1.0 + loss) } else { 0.0 },
            labelled: false,
            sound: loss.is_finite(),
            updates: 10,
            streams: Vec::new(),
        };
        losses.iter().map(arm).collect()
    }

    fn verdict(before: &[f64], after: &[f64]) -> Outcome {
        judge(&arms(before), &arms(after), LOSS).verdict
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
        let proof = judge(&arms(&[2.0]), &arms(&[0.1]), LOSS);
        assert_eq!((proof.verdict, proof.noise, proof.before), (Outcome::Inconclusive, None, Some(2.0)));
        assert_eq!(judge(&[], &[], LOSS).before, None);
    }

    #[test]
    fn a_run_that_diverged_is_worse_than_any_that_did_not() {
        let nan = f64::NAN;
        assert_eq!(verdict(&[nan, nan], &[3.0, 2.9]), Outcome::Proved);
        assert_eq!(verdict(&[3.0, 2.9], &[nan, nan]), Outcome::Refuted);
        assert!(judge(&arms(&[nan, nan]), &arms(&[3.0, 2.9]), LOSS).before.unwrap() >= 30.0);
    }

    #[test]
    fn several_streams_are_named() {
        let mut both = arms(&[2.0, 2.1]);
        let end = |name: &str| StreamEnd { name: name.into(), loss: 1.0, score: 0.5 };
        both[0].streams = vec![end("new"), end("replay")];
        let proof = judge(&both, &arms(&[1.0, 1.1]), LOSS);
        assert_eq!(proof.metric, "valid.loss (sum of new and replay)");
        assert_eq!(
            judge(&both, &both, By::Score("valid.score")).metric,
            "valid.score (mean of new and replay)"
        );
    }

    #[test]
    fn where_the_loss_was_changed_the_score_decides() {
        let proof = judge(&arms(&[2.3, 2.4]), &arms(&[0.4, 0.5]), By::Score("valid.score"));
        assert_eq!((proof.metric.as_str(), proof.verdict), ("valid.score", Outcome::Proved));
    }

    #[test]
    fn a_contrast_is_judged_by_neighbours_or_by_its_loss_where_that_is_of_the_same_kind() {
        let text = "name = \"t\"\ntask = \"contrastive\"\n[data]\ntrain = \"t\"\n[data.transform]\ntrain = [{ op = \
                    \"Resize\", size = 32 }]\neval = [{ op = \"Resize\", size = 32 }]\n[model]\narch = \"resnet18\"\n\
                    weights = \"none\"\n[contrastive]\nqueue = 64\n[optim]\ntype = \"SGD\"\nlr = 0.1\n[train]\n\
                    epochs = 1\nbatch_size = 32\n";
        let recipe = luthier_recipe::parse("t.toml", text, &[]).unwrap().recipe;
        let patch = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), 1.into())).collect::<Patch>();
        let rows = [
            (&["optim.lr"][..], true, By::Score("valid.knn")),
            (&["optim.lr", "schedule.warmup.steps"], false, By::Loss("train.loss")),
            (&["optim.lr", "contrastive.temperature"], false, By::Sound),
            (&["data.transform.train"], false, By::Sound),
        ];
        for (keys, labelled, expected) in rows {
            let arms = [Arm {
                loss: Some(1.0),
                score: 0.1,
                labelled,
                sound: true,
                updates: 10,
                streams: Vec::new(),
            }];
            assert_eq!(By::of(&recipe, &patch(keys), &arms, &arms), expected, "{keys:?}");
            let lost = arms.clone().map(|arm| Arm { sound: false, ..arm });
            assert_eq!(By::of(&recipe, &patch(keys), &lost, &arms), By::Sound, "{keys:?}");
            assert_eq!(By::of(&recipe, &patch(keys), &lost, &lost), expected, "{keys:?}");
        }
        let sound = |before: [bool; 2], after: [bool; 2]| {
            let arm = |sound: bool| Arm {
                loss: None,
                score: 0.0,
                labelled: false,
                sound,
                updates: 10,
                streams: Vec::new(),
            };
            judge(&before.map(arm), &after.map(arm), By::Sound).verdict
        };
        let (lost, fine) = ([false; 2], [true; 2]);
        assert_eq!(sound(lost, fine), Outcome::Proved);
        assert_eq!(sound(fine, fine), Outcome::Inconclusive);
        assert_eq!((sound(lost, lost), sound(fine, lost)), (Outcome::Refuted, Outcome::Refuted));
    }
}
