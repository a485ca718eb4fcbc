//! A run that learned all the same: what was suspected of it did no harm.

use crate::history;
use crate::{Category, Facts, Finding, RunFacts, Severity};

/// Share of the way from guessing to perfect, in accuracy or R², from which nobody looks for a fault.
const LEARNED: f64 = 0.94;
/// A validation loss this many times the lowest is on its way up.
const RISEN: f64 = 2.0;

/// Makes notes of what was found in a run that learned well: a fault that does not hurt is not a fault. What makes a good
/// result untrue, such as a leak or an evaluation that is wrong, stays.
pub(crate) fn acquit(findings: &mut [Finding], facts: &Facts) {
    let Some(sentence) = facts.run.and_then(learned) else { return };
    for finding in findings.iter_mut() {
        let about_the_result =
            finding.category == Category::Evaluation || ["DAT009", "DAT010"].contains(&finding.code.as_str());
        if finding.severity > Severity::Info && !about_the_result {
            finding.severity = Severity::Info;
            finding.evidence.push(format!("the run learned all the same: {sentence}"));
        }
    }
}

/// How well a run that is over did at its last look at the validation split, where that is well.
fn learned(run: &RunFacts) -> Option<String> {
    run.metrics.end.as_ref().filter(|end| end.rule.is_none())?;
    let evals = history::valid(&run.metrics);
    let last = evals.last()?;
    let lowest = evals.iter().map(|eval| eval.loss).fold(f64::INFINITY, f64::min);
    let steady = last.loss <= RISEN * lowest || last.loss < 0.1;
    let (score, name) = match (last.accuracy, last.r2) {
        (Some(accuracy), _) => {
            let most = majority(last)?;
            (
                (accuracy - most) / (1.0 - most).max(f64::MIN_POSITIVE),
                format!("{:.1} % right", 100.0 * accuracy),
            )
        }
        (None, Some(r2)) => (r2, format!("R² {r2:.3}")),
        (None, None) => return None,
    };
    (steady && score >= LEARNED).then(|| format!("{name} on {} validation samples", last.count))
}

/// Share of the most frequent class among the samples.
fn majority(eval: &luthier_track::EvalPoint) -> Option<f64> {
    let mut counts = vec![0_u64; eval.confusion.classes()];
    for &(truth, _, count) in eval.confusion.cells() {
        *counts.get_mut(truth as usize)? += count;
    }
    let most = counts.iter().max().copied()?;
    (eval.count > 0).then(|| most as f64 / eval.count as f64)
}

#[cfg(test)]
mod tests {
    use super::acquit;
    use crate::rules::{self, sample::*};
    use crate::{Facts, Severity};

    #[test]
    fn a_run_that_learned_well_is_acquitted_and_a_middling_one_is_not() {
        let suspect = |code: &str| rules::find(code).map(|rule| rule.finding().weigh(Severity::Error, 0.9));
        for (evals, expected) in [
            ([(0.3, 0.9), (0.1, 0.98), (0.1, 0.99)], Severity::Info),
            ([(0.3, 0.9), (0.3, 0.9), (0.3, 0.9)], Severity::Error),
            ([(0.1, 0.98), (0.1, 0.99), (0.9, 0.98)], Severity::Error),
        ] {
            let run = learning(200).valid(&evals);
            let mut findings: Vec<_> = suspect("OPT201").into_iter().collect();
            acquit(&mut findings, &Facts { run: Some(&run.0), ..Facts::default() });
            assert_eq!(findings[0].severity, expected, "{evals:?}");
        }
    }
}
