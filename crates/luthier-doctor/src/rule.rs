//! What a rule is.

use crate::{Category, Facts, Finding, Phase, Proof, Severity};

/// Whether a rule names causes or what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something to change
    Cause,
    /// Something to explain: dead units, a flat loss, a NaN
    Symptom,
}

/// One rule: a name, a manual page and a function over facts.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable code: three letters of what it is about and three digits
    pub code: &'static str,
    /// Short name in kebab-case
    pub name: &'static str,
    /// What it is about
    pub category: Category,
    /// When it looks
    pub phase: Phase,
    /// Cause or symptom
    pub kind: Kind,
    /// The rule's own source file, whose head is its manual page
    pub source: &'static str,
    /// The rule itself. It says nothing where the facts it needs are not there
    pub look: fn(&Rule, &Facts) -> Vec<Finding>,
}

impl Rule {
    /// A finding of this rule, to be filled in.
    pub fn finding(&self) -> Finding {
        Finding {
            code: self.code.into(),
            name: self.name.into(),
            category: self.category,
            severity: Severity::Warning,
            confidence: 0.5,
            phase: self.phase,
            place: String::new(),
            line: None,
            evidence: Vec::new(),
            explanation: String::new(),
            refute: String::new(),
            fix: None,
            proof: Proof::default(),
            symptom: self.kind == Kind::Symptom,
        }
    }
}

/// The manual page of a rule: the `//!` lines at the head of its file, in Markdown.
pub fn page(rule: &Rule) -> String {
    let lines = rule.source.lines().take_while(|line| line.starts_with("//!"));
    let text: Vec<&str> = lines.map(|line| line.trim_start_matches("//!").trim_start_matches(' ')).collect();
    text.join("\n").trim().to_owned()
}
