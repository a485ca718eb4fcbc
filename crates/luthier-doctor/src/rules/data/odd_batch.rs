//! # DAT102 odd-batch
//!
//! ## What it finds
//! Samples that make the loss leap whenever they are in the batch.
//!
//! ## Why it hurts
//! They pull the weights away from what all others ask for: a wrong label, a broken picture, a text of another kind.
//!
//! ## How it is measured
//! Updates whose loss was far above the last ones, and was the same when it was computed again: the batch is to
//! blame. The samples with the highest loss are named. One leap is information; one sample that is named by two is a
//! warning.
//!
//! ## Example
//! ```toml
//! [data]
//! train = "pictures" # with one label that is wrong
//! ```
//!
//! ## Fix
//! Look at the samples; mend or leave them out.
//!
//! ## When it is wrong
//! For rare samples that are hard and right.
//!
//! ## Source
//! Northcutt et al. 2021: samples with a high loss late in training are where label errors are.

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT102",
    name: "odd-batch",
    category: Category::Data,
    phase: Phase::Online,
    kind: Kind::Cause,
    source: include_str!("odd_batch.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let spikes: Vec<_> = run.metrics.spikes.iter().filter(|spike| spike.repeatable).collect();
    if spikes.is_empty() {
        return Vec::new();
    }
    let worst = |index: usize| spikes[index].worst.first().map(|(place, _)| place.as_str());
    let twice = (0..spikes.len()).find_map(|index| {
        let place = worst(index)?;
        (0..index).any(|before| worst(before) == Some(place)).then_some(place)
    });
    let named: Vec<String> = spikes
        .iter()
        .take(3)
        .filter_map(|spike| {
            let (place, own) = spike.worst.first()?;
            Some(format!(
                "update {}: a loss of {:.3}, usual is {:.3}; `{place}` alone has {own:.3}",
                spike.at.update, spike.loss, spike.median
            ))
        })
        .collect();
    let severity = if twice.is_some() { Severity::Warning } else { Severity::Info };
    let mut finding = rule
        .finding()
        .at(twice.or(worst(0)).unwrap_or_default())
        .weigh(severity, if twice.is_some() { 0.8 } else { 0.5 });
    finding.evidence = named;
    if let Some(place) = twice {
        finding = finding.evidence(format!("`{place}` is the worst sample of more than one leap"));
    }
    vec![finding.because(
        "the loss leapt because of what was in the batch: it was the same when it was computed again",
        "the samples are right, and only rare",
    )]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    use crate::Severity;

    #[test]
    fn a_sample_that_leaps_twice() {
        let once = learning(200).spike(60, 9.0, 9.0, &["a.jpg", "b.jpg"]);
        assert_eq!(one(&RULE, &once).severity, Severity::Info);
        let twice = one(&RULE, &once.spike(150, 8.0, 8.0, &["a.jpg"]));
        assert_eq!((twice.severity, twice.place.as_str()), (Severity::Warning, "a.jpg"));
        silent(&RULE, &learning(200).spike(60, 9.0, 0.4, &["a.jpg"]));
    }
}
