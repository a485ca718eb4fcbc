//! # LOO102 step-not-repeatable
//!
//! ## What it finds
//! A step that came to another loss when it was computed a second time from the same samples and random numbers.
//!
//! ## Why it hurts
//! Nothing the run says can be relied on: memory that is overwritten, a kernel that is wrong, a device that fails.
//!
//! ## How it is measured
//! When the loss of an update is far above the last ones, the session computes it again before it moves the weights.
//! A difference above a thousandth is a finding.
//!
//! ## Example
//! ```toml
//! [train]
//! precision = "bf16"
//! ```
//!
//! ## Fix
//! Run on the CPU in fp32 to see whether it stays; test the machine's memory.
//!
//! ## When it is wrong
//! For operations that are documented not to be deterministic on the device.
//!
//! ## Source
//! The re-run state machine of large training systems: a spike that repeats is data, one that does not is the
//! machine.

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOO102",
    name: "step-not-repeatable",
    category: Category::Loop,
    phase: Phase::Online,
    kind: Kind::Cause,
    source: include_str!("not_repeatable.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let odd: Vec<_> = run.metrics.spikes.iter().filter(|spike| !spike.repeatable).collect();
    let Some(first) = odd.first() else { return Vec::new() };
    let finding = rule
        .finding()
        .at(format!("update {}", first.at.update))
        .weigh(Severity::Error, 0.9)
        .evidence(format!(
            "the loss of update {} was {:.6}, and {:.6} the second time; {} of {} spikes did not repeat",
            first.at.update,
            first.loss,
            first.again,
            odd.len(),
            run.metrics.spikes.len()
        ))
        .because(
            "the computation is not a function of its inputs",
            "on another machine every spike repeats to the last digit",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    #[test]
    fn another_loss_the_second_time() {
        assert_eq!(one(&RULE, &learning(100).spike(60, 9.0, 0.5, &["a"])).place, "update 60");
        silent(&RULE, &learning(100).spike(60, 9.0, 9.0, &["a"]));
    }
}
