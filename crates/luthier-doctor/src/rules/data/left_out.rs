//! # DAT012 samples-left-out
//!
//! ## What it finds
//! A data set of which a good part can't be used.
//!
//! ## Why it hurts
//! What is left out is seldom left out by chance: one camera's files, one class's folder, one column that is empty for
//! one kind of customer. What is left is another data set than the one that was meant.
//!
//! ## How it is measured
//! Samples that the plan or the run left out, over all. A warning from a twentieth, and from ten samples.
//!
//! ## Example
//! ```toml
//! [data]
//! on_error = "skip"     # a fifth of the files are HTML pages that end in .jpg
//! ```
//!
//! ## Fix
//! `luthier data scan` lists them with the reasons.
//!
//! ## When it is wrong
//! When the folder has other files on purpose.
//!
//! ## Source
//! Counting.

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT012",
    name: "samples-left-out",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("left_out.rs"),
    look,
};

/// Share and number from which it is told.
const SHARE: f64 = 0.05;
const FEWEST: usize = 10;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let mut found = Vec::new();
    for split in &plan.data.splits {
        let (out, all) = (split.skipped.len(), split.skipped.len() + split.samples.len());
        if out >= FEWEST && out as f64 >= SHARE * all as f64 {
            let first = split.skipped.first().map(|one| format!("`{}`: {}", one.path, one.why));
            found.push(told(rule, &split.name, out, all, first));
        }
    }
    let run: Vec<&str> =
        facts.run.iter().flat_map(|run| &run.metrics.skipped).map(|skipped| skipped.path.as_str()).collect();
    let different: std::collections::BTreeSet<&str> = run.iter().copied().collect();
    let all = plan.data.split("train").map_or(0, |split| split.samples.len());
    if different.len() >= FEWEST && different.len() as f64 >= SHARE * all as f64 {
        let first = facts.run.and_then(|run| run.metrics.skipped.first());
        let first = first.map(|one| format!("`{}`: {}", one.path, one.why));
        found.push(told(rule, "train", different.len(), all, first));
    }
    found
}

fn told(rule: &Rule, split: &str, out: usize, all: usize, first: Option<String>) -> Finding {
    let mut finding = rule
        .finding()
        .at(format!("data.{split}"))
        .weigh(Severity::Warning, 0.85)
        .evidence(format!(
            "{out} of {all} samples of `{split}` are left out ({:.0} %)",
            100.0 * out as f64 / all.max(1) as f64
        ))
        .because(
            "what is left is another data set than the one that was meant",
            "the samples that are left out are of all classes and sources alike",
        );
    finding.evidence.extend(first.map(|first| format!("the first is {first}")));
    finding
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails should fail")]

    use luthier_plan::Skipped;

    use super::*;
    use crate::testing::*;

    #[test]
    fn many_are_told_and_a_few_are_not() {
        let mut subject = Subject::new(TABLE, &[], &World::default());
        for (count, expected) in
            [(9, None), (40, None), (70, Some("70 of 1270 samples of `train` are left out (6 %)"))]
        {
            let skipped = |at: usize| Skipped { path: at.to_string(), why: "it has no class".into() };
            subject.plan.data.splits[0].skipped = (0..count).map(skipped).collect();
            let found = subject.look(&RULE);
            assert_eq!(found.first().map(|finding| finding.evidence[0].as_str()), expected);
        }
    }
}
