//! # LOS105 loss-by-turns
//!
//! ## What it finds
//! A loss that is high and low by turns: every second update is of another kind.
//!
//! ## Why it hurts
//! Such a curve looks like noise, and is none. Two sources of samples that take turns are drawn in one curve, or the batches
//! themselves alternate. No lower rate makes it smooth, and whether one of the two is learned cannot be seen.
//!
//! ## How it is measured
//! From one update to the next the loss goes up, and from that to the one after it down, in nine pairs of ten, over at
//! least forty updates; noise does so in one of two. The two kinds are further apart than three times what the losses of one
//! kind change from one to the next.
//!
//! ## Example
//! ```python
//! for synthetic, real in zip(synthetic_loader, real_loader):
//!     writer.add_scalar("loss/train", step(synthetic), n)       # nine heads
//!     writer.add_scalar("loss/train", step(real), n + 1)        # one
//! ```
//!
//! ## Fix
//! A curve for each source. Where one source alternates, shuffled samples.
//!
//! ## When it is wrong
//! For an optimizer that overshoots by turns: then the weights swing as well, and a lower rate ends it.
//!
//! ## Source
//! Turning points of noise: Kendall & Stuart, The Advanced Theory of Statistics, vol. 3, on tests of randomness.

use crate::history;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS105",
    name: "loss-by-turns",
    category: Category::Loss,
    phase: Phase::Posthoc,
    kind: Kind::Cause,
    source: include_str!("by_turns.rs"),
    look,
};

/// Updates that there must be.
const ENOUGH: usize = 40;
/// Share of the pairs that must go the one way, and of those between them that must go the other.
const MOSTLY: f64 = 0.9;
/// The two kinds are apart by so many times what one kind changes from one to the next.
const APART: f64 = 3.0;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(run) = facts.run else { return Vec::new() };
    let losses = history::losses(&run.metrics);
    if losses.len() < ENOUGH || losses.len() < run.metrics.steps.len() {
        return Vec::new();
    }
    let [even, odd] = [0, 1].map(|first| losses.iter().copied().skip(first).step_by(2).collect::<Vec<f64>>());
    let rises = |from: &[f64], to: &[f64]| {
        let pairs = from.iter().zip(to).count().max(1) as f64;
        from.iter().zip(to).filter(|(from, to)| to > from).count() as f64 / pairs
    };
    let (up, on) = (rises(&even, &odd), rises(&odd, even.get(1..).unwrap_or_default()));
    let by_turns = up >= MOSTLY && on <= 1.0 - MOSTLY || up <= 1.0 - MOSTLY && on >= MOSTLY;
    let gap = (history::median(&odd) - history::median(&even)).abs();
    let change = |kind: &[f64]| {
        let steps: Vec<f64> = kind.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        history::median(&steps)
    };
    if !by_turns || gap <= APART * change(&even).max(change(&odd)) {
        return Vec::new();
    }
    let (high, low) = (
        history::median(&odd).max(history::median(&even)),
        history::median(&odd).min(history::median(&even)),
    );
    let finding = rule
        .finding()
        .at("train.loss")
        .weigh(Severity::Warning, 0.8)
        .evidence(format!(
            "over {} updates the loss is about {high:.3} and about {low:.3} by turns: {:.0} % of the pairs go the same way",
            losses.len(),
            100.0 * up.max(1.0 - up)
        ))
        .because(
            "the curve is of two kinds of updates, and shows whose turn it was before it shows what is learned",
            "drawn by themselves, every second update is as restless as all are together",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::sample::*;

    fn fall(update: u64) -> f64 {
        (-(update as f64) / 80.0).exp()
    }

    #[test]
    fn two_sources_in_one_curve_are_told_apart() {
        let mixed = |update: u64| {
            let (height, noise) = if update.is_multiple_of(2) { (9.0, 0.2) } else { (2.3, 0.2) };
            height * (0.6 + 0.4 * fall(update)) + noise * normal(update)
        };
        let found = one(&RULE, &run(200, mixed));
        assert!(found.evidence[0].contains("100 %"), "{found:?}");
        // one of the two stands still, the other falls to below it
        silent(&RULE, &run(400, |update| if update % 2 == 0 { 4.0 * fall(update) } else { 2.0 }));
    }

    #[test]
    fn noise_and_falling_losses_are_not() {
        silent(&RULE, &flat(300));
        silent(&RULE, &learning(300));
        silent(&RULE, &run(300, |update| 3.0 * fall(update)));
        // one of many kinds, and a small swing in large noise
        silent(&RULE, &run(300, |update| if update % 3 == 0 { 4.0 } else { 1.0 }));
        silent(&RULE, &run(300, |update| 2.0 + 0.1 * (update % 2) as f64 + 0.5 * normal(update)));
        silent(&RULE, &run(20, |update| if update % 2 == 0 { 9.0 } else { 2.3 }));
    }
}
