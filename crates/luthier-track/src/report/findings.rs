//! What the doctor says of the run, as a part of the report. Who judges lives above this room and leaves `findings.json`.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;

use super::evidence;
use crate::plot::Picture;
use crate::{RunDir, TrackError};

/// As much of a verdict as the report shows.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Verdict {
    status: String,
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    code: String,
    name: String,
    #[serde(default)]
    category: String,
    severity: String,
    explanation: String,
    evidence: Vec<String>,
    fix: Option<Fix>,
}

#[derive(Debug, Deserialize)]
struct Fix {
    summary: String,
    patch: BTreeMap<String, serde_json::Value>,
}

/// Reads what was found; `None` where nobody looked.
pub(super) fn read(run: &RunDir) -> Result<Option<Verdict>, TrackError> {
    let path = run.findings_path();
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(|source| TrackError::io("read", &path, source))?;
    // a verdict of a later version is no reason to have no report
    Ok(serde_json::from_slice(&bytes).ok())
}

/// The verdict; what may hurt with small copies of the pictures in which it shows.
pub(super) fn findings(verdict: &Verdict, pictures: &[Picture]) -> Markup {
    let class = match verdict.status.as_str() {
        "healthy" => "good",
        "sick" => "bad",
        _ => "warn",
    };
    html! {
        h2 { "Doctor" }
        p { span class={ "outcome " (class) } { (verdict.status) }
            @if verdict.findings.is_empty() { span.soft { " Nothing was found that hurts" } } }
        @for (number, finding) in verdict.findings.iter().enumerate() { (one(finding, number, pictures)) }
    }
}

fn one(finding: &Finding, number: usize, pictures: &[Picture]) -> Markup {
    let class = match finding.severity.as_str() {
        "error" => "bad",
        "warning" => "warn",
        _ => "soft",
    };
    html! {
        details open[finding.severity != "info"] {
            summary { b class=(class) { (finding.code) } " " (finding.name) }
            p { (finding.explanation) }
            ul { @for sentence in &finding.evidence { li { (sentence) } } }
            @if finding.severity != "info" { (evidence::pictures(&finding.category, number, pictures)) }
            @if let Some(fix) = &finding.fix {
                p { b.good { "cure: " } (fix.summary) }
                pre { @for (key, value) in &fix.patch { (key) " = " (luthier_recipe::literal(value)) "\n" } }
            }
        }
    }
}
