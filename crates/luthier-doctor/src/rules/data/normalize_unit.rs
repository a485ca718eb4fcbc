//! # DAT005 normalize-unit
//!
//! ## What it finds
//! Constants of `Normalize` that are meant for pixels of 0 to 255, or that divide by 255 once more.
//!
//! ## Why it hurts
//! Pictures are in [0, 1] when `Normalize` sees them. A mean of 123.7 then makes every picture the same large
//! negative number; a deviation of 255 leaves numbers below 0.004, with which nothing is learned at usual rates,
//! while the loss stays at ln C.
//!
//! ## How it is measured
//! What 0 and 1 become: the interval that pixels are mapped to. It is this fault when it lies wholly beyond ±5, or
//! is narrower than 0.1 or wider than 100.
//!
//! ## Example
//! ```toml
//! [data.transform]
//! train = [{ op = "Normalize", mean = [123.7, 116.3, 103.5], std = [58.4, 57.1, 57.4] }]
//! ```
//!
//! ## Fix
//! The constants divided by 255.
//!
//! ## When it is wrong
//! When the pictures of a special camera fill a small part of [0, 1] and the constants make up for it.
//!
//! ## Source
//! Normalising twice gives loss 2.298 and accuracy 0.11 on ten strokes: it looks like a rate that is too low,
//! measured.

use luthier_recipe::Transform;
use serde_json::json;

use crate::reading;
use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT005",
    name: "normalize-unit",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("normalize_unit.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let data = &plan.recipe.data;
    let chains = [("train", data.train_transform()), ("eval", data.eval_transform())];
    chains.into_iter().filter_map(|(split, chain)| one(rule, split, chain)).collect()
}

fn one(rule: &Rule, split: &str, chain: &[Transform]) -> Option<Finding> {
    let (index, mean, std) = reading::normalize(chain)?;
    let ends = |channel: usize| {
        let at = |x: f32| f64::from((x - mean[channel]) / std[channel]);
        (at(0.0), at(1.0))
    };
    let wrong = |(low, high): (f64, f64)| low > 5.0 || high < -5.0 || high - low < 0.1 || high - low > 100.0;
    let channel = (0..3).find(|channel| wrong(ends(*channel)))?;
    let (low, high) = ends(channel);
    let key = format!("data.transform.{split}[{index}]");
    let finding = rule
        .finding()
        .at(key.clone())
        .weigh(Severity::Error, 0.95)
        .evidence(format!("black becomes {low:.3} and white {high:.3} in channel {channel}"))
        .because(
            "pictures are in [0, 1] when they are normalised, and these constants are for another unit",
            "the mean of a batch is near 0 and its deviation near 1",
        );
    let pixels = mean.iter().all(|m| *m > 1.0) || std.iter().all(|s| *s > 2.0);
    if !pixels {
        return Some(finding);
    }
    let over = |values: [f32; 3]| values.map(|v| (f64::from(v) / 255.0 * 1e4).round() / 1e4);
    // a mean that is in the right unit already stays
    let mean = if mean.iter().any(|m| *m > 1.0) { over(mean) } else { mean.map(f64::from) };
    let (at_mean, at_std) = (format!("{key}.mean"), format!("{key}.std"));
    let patch = [(at_mean.as_str(), json!(mean)), (at_std.as_str(), json!(over(std)))];
    Some(finding.fix("constants for [0, 1]", patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn constants_for_pixels_are_found_in_both_chains() {
        let world = World::default();
        let pixels = "{op=\"Normalize\",mean=[123.7,116.3,103.5],std=[58.4,57.1,57.4]}";
        let finding = found(&RULE, PICTURES, &[&format!("data.transform.train=[{pixels}]")], &world);
        assert_eq!(finding.place, "data.transform.train[0]");
        let twice = "data.transform.eval=[{op=\"Normalize\",mean=[0.0,0.0,0.0],std=[255.0,255.0,255.0]}]";
        assert_eq!(found(&RULE, PICTURES, &[twice], &world).place, "data.transform.eval[0]");
        assert_eq!(severity(&RULE, PICTURES, &[], &world), None);
        let halves = "data.transform.eval=[{op=\"Normalize\",mean=[0.5,0.5,0.5],std=[0.5,0.5,0.5]}]";
        assert_eq!(severity(&RULE, PICTURES, &[halves], &world), None);
    }
}
