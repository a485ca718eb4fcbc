//! What the doctor says, as a page to read.

use std::collections::BTreeMap;

use luthier_doctor::{Finding, Outcome, Proof, Severity, Status, Verdict};
use luthier_recipe::literal;

use super::Page;
use crate::voice::{BOLD, CYAN, DIM, GREEN, Look, RED, YELLOW};

/// The verdict as a page: causes first, each with its evidence, its cure and what a trial showed. Notes are a line each
/// unless `verbose` is above 0. `file` is the recipe's name.
pub fn verdict_text(verdict: &Verdict, file: &str, look: &Look, verbose: u8) -> String {
    let mut page = Page { text: String::new(), look: *look };
    let (notes, grave): (Vec<&Finding>, Vec<&Finding>) =
        verdict.findings.iter().partition(|finding| finding.severity == Severity::Info);
    for finding in grave {
        whole(&mut page, finding, file);
    }
    for finding in &notes {
        if verbose > 0 {
            whole(&mut page, finding, file);
        }
    }
    if let Some(repair) = &verdict.repaired {
        let codes = repair.codes.join(", ");
        page.text.push_str(&format!("{}\n", look.paint(BOLD, &format!("all cures together ({codes})"))));
        changes(&mut page, &repair.patch);
        tried(&mut page, &repair.proof, "them");
        page.text.push('\n');
    }
    if verbose == 0 && !notes.is_empty() {
        page.text.push_str(&format!("{}\n", look.paint(BOLD, "worth knowing")));
        for finding in &notes {
            let first = finding.evidence.first().unwrap_or(&finding.explanation);
            let mark = look.paint(CYAN, &finding.code);
            page.wrapped(&format!("{mark} "), &format!("{}: {first}", finding.name));
        }
        page.text.push('\n');
    }
    for sentence in &verdict.unseen {
        page.wrapped(&format!("{} ", look.paint(DIM, look.sign("·", "-"))), sentence);
    }
    if !verdict.unseen.is_empty() {
        page.text.push('\n');
    }
    page.text.push_str(&last_line(verdict, look));
    page.text
}

fn whole(page: &mut Page, finding: &Finding, file: &str) {
    let look = page.look;
    let (style, word) = match finding.severity {
        Severity::Error => (RED.bold(), "error"),
        Severity::Warning => (YELLOW.bold(), "warning"),
        Severity::Info => (CYAN.bold(), "note"),
    };
    let kind = if finding.symptom { ", a symptom" } else { "" };
    let sure =
        format!("{:?}{kind}, {:.0} % sure", finding.category, 100.0 * finding.confidence).to_lowercase();
    page.text.push_str(&format!(
        "{} {}  {}\n",
        look.paint(style, &format!("{word}[{}]", finding.code)),
        look.paint(BOLD, &finding.name),
        look.paint(DIM, &sure)
    ));
    let place = match finding.line {
        // a place in a script names its file itself
        Some(_) if finding.place.starts_with(file) => finding.place.clone(),
        Some(line) => format!("{file}:{line}  {}", finding.place),
        None => finding.place.clone(),
    };
    if !place.is_empty() {
        page.quiet(&place);
    }
    page.wrapped("", &format!("{}.", sentence(&finding.explanation)));
    let bullet = look.paint(style, look.sign("•", "*"));
    for evidence in &finding.evidence {
        page.wrapped(&format!("{bullet} "), evidence);
    }
    if let Some(fix) = &finding.fix {
        page.wrapped(&format!("{} ", look.paint(GREEN.bold(), "cure:")), &fix.summary);
        changes(page, &fix.patch);
    }
    tried(page, &finding.proof, "the cure");
    if !finding.refute.is_empty() {
        page.wrapped(&format!("{} ", look.paint(DIM, "wrong if:")), &finding.refute);
    }
    page.quiet(&format!("luthier explain {}", finding.code));
    page.text.push('\n');
}

/// The keys of a patch, one a line.
fn changes(page: &mut Page, patch: &BTreeMap<String, serde_json::Value>) {
    for (key, value) in patch {
        let line = match value {
            serde_json::Value::Null => format!("  - {key}"),
            value => format!("  {key} = {}", literal(value)),
        };
        page.line(&page.look.paint(GREEN, &line));
    }
}

/// What a trial of something showed.
fn tried(page: &mut Page, proof: &Proof, with: &str) {
    let (style, word) = match proof.verdict {
        Outcome::Proved => (GREEN.bold(), "proved:"),
        Outcome::Refuted => (RED.bold(), "refuted:"),
        Outcome::Inconclusive => (YELLOW.bold(), "not proved:"),
        Outcome::NotTried => return,
    };
    let number = |value: Option<f64>| value.map_or("diverged".to_owned(), |value| format!("{value:.4}"));
    let noise = proof.noise.map_or(String::new(), |noise| format!(", noise {noise:.4}"));
    let word = page.look.paint(style, word);
    page.wrapped(
        &format!("{word} "),
        &format!(
            "{} is {} as it is and {} with {with} ({} seeds{noise})",
            proof.metric,
            number(proof.before),
            number(proof.after),
            proof.seeds
        ),
    );
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn last_line(verdict: &Verdict, look: &Look) -> String {
    let (style, word) = match verdict.status {
        Status::Healthy => (GREEN.bold(), "healthy"),
        Status::Suspect => (YELLOW.bold(), "suspect"),
        Status::Sick => (RED.bold(), "sick"),
    };
    let count = |severity, one: &str| {
        let count = verdict.findings.iter().filter(|finding| finding.severity == severity).count();
        match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {one}s")),
        }
    };
    let counts: Vec<String> =
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "note")]
            .into_iter()
            .filter_map(|(severity, one)| count(severity, one))
            .collect();
    let counts =
        if counts.is_empty() { "nothing was found that hurts".to_owned() } else { counts.join(", ") };
    format!("{}: {counts}\n", look.paint(style, word))
}
