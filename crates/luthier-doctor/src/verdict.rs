//! From findings to a verdict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Facts, Finding, Proof, Severity, explains, outcome, rules, streams};

/// Version of [`Verdict`] as it is written down.
const SCHEMA: u32 = 1;

/// The state of what was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing that hurts was found
    Healthy,
    /// Something may hurt
    Suspect,
    /// Something does
    Sick,
}

/// All findings about a subject, causes before symptoms, surest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Version of this structure
    pub schema: u32,
    /// What was looked at: `recipe`, `run`, `logs`, `script`
    pub subject: String,
    /// What it comes to
    pub status: Status,
    /// What could not be looked at, and why, as sentences
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
    /// What was found
    pub findings: Vec<Finding>,
    /// The recipe with several cures at once beside the recipe as it is, where that was tried
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired: Option<Repair>,
}

/// Several cures at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repair {
    /// Codes of the findings that they are of
    pub codes: Vec<String>,
    /// All their changes
    pub patch: BTreeMap<String, serde_json::Value>,
    /// What a trial showed
    pub proof: Proof,
}

/// Lets every rule look at the facts, takes out of the count what others explain, and sorts what is left.
pub fn judge(subject: &str, facts: &Facts) -> Verdict {
    let whole = facts.plan.filter(|plan| !plan.streams.is_empty()).map(streams::together);
    let seen = &Facts { plan: whole.as_ref().or(facts.plan), ..*facts };
    let mut findings: Vec<Finding> = rules::all().iter().flat_map(|rule| (rule.look)(rule, seen)).collect();
    let more = streams::beside(facts);
    if let Some(plan) = facts.plan {
        findings = findings.into_iter().map(|finding| streams::first(finding, plan)).collect();
    }
    findings.extend(more);
    for finding in &mut findings {
        finding.line = finding.line.or_else(|| facts.line_of(&finding.place));
    }
    explains::settle(&mut findings);
    outcome::acquit(&mut findings, facts);
    sort(&mut findings);
    let status = status(&findings);
    let unseen = facts.run.map(|run| run.unseen.clone()).unwrap_or_default();
    Verdict { schema: SCHEMA, subject: subject.into(), status, unseen, findings, repaired: None }
}

/// Causes before symptoms; then the worse, then the surer first.
pub(crate) fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        a.symptom
            .cmp(&b.symptom)
            .then(b.severity.cmp(&a.severity))
            .then(b.confidence.total_cmp(&a.confidence))
            .then(a.code.cmp(&b.code))
    });
}

pub(crate) fn status(findings: &[Finding]) -> Status {
    match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Error) => Status::Sick,
        Some(Severity::Warning) => Status::Suspect,
        _ => Status::Healthy,
    }
}
