//! Which finding is a consequence of which: what a cause explains is told, and no longer counted against the run.

use crate::{Finding, Severity};

/// Cause and consequence, as codes. Two faults that are both needed to explain a run stand in no pair, and both stay.
pub(crate) static EXPLAINS: &[(&str, &str)] = &[
    // an average far behind its weights is what is evaluated
    ("LOO004", "EVA101"),
    ("LOO004", "EVA102"),
    ("LOO004", "LOS103"),
    // the schedule that counts the wrong thing is why the rate is gone
    ("SCH001", "SCH004"),
    ("SCH003", "SCH004"),
    ("SCH001", "SCH101"),
    ("SCH003", "SCH101"),
    ("SCH004", "SCH101"),
    ("SCH001", "EVA101"),
    ("SCH003", "EVA101"),
    ("SCH004", "EVA101"),
    ("SCH001", "OPT102"),
    ("SCH003", "OPT102"),
    ("SCH004", "OPT102"),
    ("SCH001", "OPT103"),
    ("SCH004", "OPT103"),
    // noise of its own making looks like a rate that is too high, or like labels that mean nothing
    ("REG001", "INI204"),
    ("REG001", "OPT201"),
    ("REG001", "OPT101"),
    ("REG001", "LAB201"),
    ("REG002", "OPT201"),
    ("REG002", "OPT101"),
    ("REG002", "LAB201"),
    // weights that are shrunk at every update
    ("OPT005", "OPT201"),
    ("OPT005", "OPT101"),
    ("OPT005", "LAB201"),
    // numbers of the wrong size go through everything behind them
    ("DAT001", "OPT007"),
    ("DAT001", "OPT201"),
    ("DAT001", "OPT101"),
    ("DAT001", "DAT201"),
    ("DAT002", "OPT201"),
    ("DAT002", "OPT101"),
    ("DAT002", "DAT210"),
    ("FIN002", "FIN003"),
    ("FIN002", "OPT101"),
    ("FIN003", "OPT101"),
    ("OPT203", "OPT107"),
    ("OPT203", "OPT201"),
    ("OPT203", "OPT102"),
    ("LOO001", "OPT107"),
    ("LOS005", "LOS103"),
    ("LOS006", "EVA104"),
    ("DAT004", "DAT101"),
    ("DAT004", "DAT203"),
    ("DAT004", "LOS101"),
    // one output where several are meant: what stands behind it cannot be right either
    ("OUT005", "OUT001"),
    ("OUT001", "OUT002"),
    ("OUT001", "OUT006"),
    // equal units have a signal of no deviation, too
    ("INI001", "INI002"),
    // a chain that is normalised in the wrong unit differs from every other, and from the weights'
    ("DAT005", "DAT006"),
    ("DAT005", "FIN005"),
    // the activation that flattens the signal is the one to change, not the start
    ("ACT002", "ACT001"),
    ("ACT002", "INI002"),
    ("ACT001", "INI002"),
    // an output that is always the bias
    ("NRM003", "INI203"),
    ("NRM003", "OPT207"),
    ("NRM003", "LAB201"),
    // statistics that drift make validation fall, at a rate that others bear
    ("NRM002", "FIN101"),
    // a sum over the batch is the rate times the batch
    ("LOS001", "OPT002"),
    ("LOS001", "OPT007"),
    ("LOS001", "OPT001"),
];

/// Makes `info` of every finding that another one explains, with a sentence that names it.
pub(crate) fn settle(findings: &mut [Finding]) {
    for at in 0..findings.len() {
        let of = &findings[at];
        let causes = EXPLAINS.iter().filter(|(_, effect)| *effect == of.code).filter_map(|(cause, _)| {
            findings.iter().find(|other| other.code == *cause && other.severity > Severity::Info)
        });
        // a guess does not explain away what is certain
        let best = causes.max_by(|a, b| a.confidence.total_cmp(&b.confidence));
        let Some(cause) = best.filter(|cause| cause.confidence >= 0.5 * of.confidence) else { continue };
        let sentence = format!("explained by {} {} (`{}`)", cause.code, cause.name, cause.place);
        let finding = &mut findings[at];
        finding.severity = Severity::Info;
        finding.symptom = true;
        finding.evidence.push(sentence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    fn finding(code: &str, severity: Severity, confidence: f64) -> Finding {
        rules::find(code).unwrap().finding().at("optim.lr").weigh(severity, confidence)
    }

    #[test]
    fn a_consequence_becomes_info_and_names_its_cause() {
        let mut findings = [finding("SCH001", Severity::Error, 0.9), finding("SCH004", Severity::Error, 0.9)];
        settle(&mut findings);
        assert_eq!((findings[0].severity, findings[0].symptom), (Severity::Error, false));
        assert_eq!((findings[1].severity, findings[1].symptom), (Severity::Info, true));
        assert!(findings[1].evidence[0].contains("SCH001 scheduler-unit"), "{:?}", findings[1].evidence);
    }

    #[test]
    fn two_causes_stay_and_a_guess_explains_nothing() {
        let mut both = [finding("OUT001", Severity::Error, 0.9), finding("DAT001", Severity::Error, 0.9)];
        settle(&mut both);
        assert!(both.iter().all(|finding| finding.severity == Severity::Error));
        let mut guess = [finding("SCH001", Severity::Warning, 0.2), finding("SCH004", Severity::Error, 0.9)];
        settle(&mut guess);
        assert_eq!(guess[1].severity, Severity::Error);
        let mut harmless = [finding("SCH001", Severity::Info, 0.9), finding("SCH004", Severity::Error, 0.9)];
        settle(&mut harmless);
        assert_eq!(harmless[1].severity, Severity::Error);
    }

    #[test]
    fn pairs_name_rules_and_go_in_no_circle() {
        for (cause, effect) in EXPLAINS {
            assert!(rules::find(cause).is_some() && rules::find(effect).is_some(), "{cause} {effect}");
            assert!(!EXPLAINS.contains(&(*effect, *cause)), "{cause} and {effect} explain one another");
        }
    }
}
