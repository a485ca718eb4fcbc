//! What a rule says, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What part of a training a cause belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each is its own name")]
pub enum Category {
    Data,
    Labels,
    Output,
    Loss,
    Init,
    Activation,
    Normalization,
    Optimizer,
    Schedule,
    Loop,
    Finetune,
    Contrastive,
    Attention,
    Distributed,
    Precision,
    Evaluation,
    Regularization,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Odd, and does no harm that anyone showed
    Info,
    /// It may cost something
    Warning,
    /// The run will not do, or did not do, what its recipe asks for
    Error,
}

/// When a finding could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// From the plan alone
    Static,
    /// From a few passes through the live model
    Probe,
    /// While training
    Online,
    /// From what a run wrote down
    Posthoc,
}

/// A change of the recipe that should cure it: keys as `--set` takes them, values as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// What it does, as an instruction
    pub summary: String,
    /// Key to new value; `null` takes the key out
    pub patch: BTreeMap<String, serde_json::Value>,
}

/// What a trial came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The patched arm is better by more than the noise
    Proved,
    /// It is not
    Refuted,
    /// The noise is larger than what was seen
    Inconclusive,
    /// No trial was run
    NotTried,
}

/// The run as it is beside the run with the patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// What was compared, as `valid.loss`
    pub metric: String,
    /// As it is, mean over the seeds
    pub before: Option<f64>,
    /// With the patch, mean over the seeds
    pub after: Option<f64>,
    /// Standard error of the difference
    pub noise: Option<f64>,
    /// Seeds of each arm
    pub seeds: u64,
    /// What it came to
    pub verdict: Outcome,
}

impl Default for Proof {
    fn default() -> Self {
        Proof {
            metric: String::new(),
            before: None,
            after: None,
            noise: None,
            seeds: 0,
            verdict: Outcome::NotTried,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code of the rule, as `SCH001`
    pub code: String,
    /// Name of the rule, as `scheduler-unit`
    pub name: String,
    /// What it is about
    pub category: Category,
    /// How bad it is
    pub severity: Severity,
    /// How sure the rule is, in [0, 1]
    pub confidence: f64,
    /// When it could be made
    pub phase: Phase,
    /// Recipe key, parameter, sample or step
    #[serde(rename = "where")]
    pub place: String,
    /// Line of the recipe that says so, counted from 1
    pub line: Option<usize>,
    /// What was seen in this run, one sentence each, with its numbers
    pub evidence: Vec<String>,
    /// What it means
    pub explanation: String,
    /// What would show that it is wrong
    pub refute: String,
    /// What to change
    pub fix: Option<Fix>,
    /// What a trial showed
    pub proof: Proof,
    /// A consequence of something else rather than a cause: never a verdict by itself
    pub symptom: bool,
}

impl Finding {
    /// Adds a sentence of evidence.
    #[must_use]
    pub fn evidence(mut self, sentence: impl Into<String>) -> Self {
        self.evidence.push(sentence.into());
        self
    }

    /// Names the recipe key, parameter, sample or step.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    /// Sets how bad it is and how sure the rule is.
    #[must_use]
    pub fn weigh(mut self, severity: Severity, confidence: f64) -> Self {
        (self.severity, self.confidence) = (severity, confidence);
        self
    }

    /// Says what it means and what would show that it is wrong.
    #[must_use]
    pub fn because(mut self, explanation: impl Into<String>, refute: impl Into<String>) -> Self {
        (self.explanation, self.refute) = (explanation.into(), refute.into());
        self
    }

    /// Offers a change of the recipe.
    #[must_use]
    pub fn fix<const N: usize>(
        mut self,
        summary: impl Into<String>,
        patch: [(&str, serde_json::Value); N],
    ) -> Self {
        let patch = patch.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        self.fix = Some(Fix { summary: summary.into(), patch });
        self
    }
}
