//! What trials change about a verdict.

use crate::verdict::{sort, status};
use crate::{Outcome, Severity, Verdict};

/// Ranks the findings again after trials: what was proved comes surer, and what was refuted is no more than a note,
/// since a fault that does not hurt is not a fault.
pub fn rank(verdict: &mut Verdict) {
    for finding in &mut verdict.findings {
        match finding.proof.verdict {
            Outcome::Proved => finding.confidence = finding.confidence.max(0.99),
            Outcome::Refuted => {
                finding.severity = Severity::Info;
                finding.confidence = finding.confidence.min(0.2);
                finding.evidence.insert(0, "a trial with the cure was no better than one without".into());
            }
            Outcome::Inconclusive | Outcome::NotTried => {}
        }
    }
    sort(&mut verdict.findings);
    verdict.status = status(&verdict.findings);
}

#[cfg(test)]
mod tests {
    use crate::{Facts, Outcome, Severity, Status, judge, rules};

    use super::rank;

    #[test]
    fn what_a_trial_refutes_is_a_note_and_what_it_proves_comes_first() {
        let mut verdict = judge("recipe", &Facts::default());
        assert_eq!(verdict.status, Status::Healthy);
        for (at, outcome) in [Outcome::Refuted, Outcome::NotTried, Outcome::Proved].into_iter().enumerate() {
            let mut finding = rules::all()[0].finding().at(format!("{at}")).weigh(Severity::Error, 0.9);
            finding.proof.verdict = outcome;
            verdict.findings.push(finding);
        }
        rank(&mut verdict);
        let order: Vec<&str> = verdict.findings.iter().map(|finding| finding.place.as_str()).collect();
        assert_eq!(order, ["2", "1", "0"]);
        assert_eq!((verdict.status, verdict.findings[2].severity), (Status::Sick, Severity::Info));
        verdict.findings.retain(|finding| finding.place == "0");
        rank(&mut verdict);
        assert_eq!(verdict.status, Status::Healthy);
    }
}
