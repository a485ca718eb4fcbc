//! # LOS007 streams-apart
//!
//! ## What it finds
//! Streams in turn whose losses are of different sizes from the start: in one curve they make a zigzag.
//!
//! ## Why it hurts
//! A loop that logs the loss of every update into one curve draws, by turns, a sum over many heads and the loss of one.
//! The curve jumps at every update, whatever the model learns, and looks like noise that a lower rate should cure.
//!
//! ## How it is measured
//! From the plan: what a model that knows nothing has in each stream, the sum of its heads' ln C by their weights. They are
//! apart from a factor of 1.3 on. Luthier draws a curve for each stream, so this is a note: it says what other programs'
//! curves of the same training look like.
//!
//! ## Example
//! ```toml
//! [[streams]]
//! name = "synthetic"                      # nine heads, together about 9 at the start
//! [[streams]]
//! name = "replay"
//! loss_weights = { classifier = 1.0 }     # one head, 2.3 at the start
//! ```
//!
//! ## Fix
//! Nothing in the recipe. In a script, a curve for each stream and one for each head.
//!
//! ## When it is wrong
//! For heads that were trained before, which begin below what knowing nothing costs.
//!
//! ## Source
//! The loss of a uniform guess among C classes is ln C.

use luthier_plan::{streams, watch};
use luthier_recipe::Interleave;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "LOS007",
    name: "streams-apart",
    category: Category::Loss,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("streams_apart.rs"),
    look,
};

/// Two losses that differ by this factor are apart.
const APART: f64 = 1.3;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan.filter(|plan| !plan.streams.is_empty()) else { return Vec::new() };
    if plan.recipe.train.interleave == Interleave::Sum {
        return Vec::new();
    }
    let told: Vec<(&str, f64, usize)> = streams::all(plan)
        .filter_map(|own| Some((own.stream.as_str(), watch::chance(own)?, own.data.tasks.len().max(1))))
        .collect();
    let (Some(low), Some(high)) =
        (told.iter().min_by(|a, b| a.1.total_cmp(&b.1)), told.iter().max_by(|a, b| a.1.total_cmp(&b.1)))
    else {
        return Vec::new();
    };
    if high.1 < APART * low.1 {
        return Vec::new();
    }
    let heads = |count: usize| if count == 1 { "one head".to_owned() } else { format!("{count} heads") };
    let finding = rule
        .finding()
        .at("streams")
        .weigh(Severity::Info, 0.9)
        .evidence(format!(
            "a model that knows nothing has a loss of {:.2} in `{}` ({}) and of {:.2} in `{}` ({}): mixed in one curve, the \
             two make a zigzag of {:.1} from update to update",
            high.1,
            high.0,
            heads(high.2),
            low.1,
            low.0,
            heads(low.2),
            high.1 - low.1
        ))
        .because(
            "a curve of all updates shows whose turn it was before it shows what is learned; here each stream has its own",
            "the losses of both streams begin at about the same height",
        );
    vec![finding]
}

#[cfg(test)]
mod tests {
    use luthier_plan::TaskPlan;

    use super::*;
    use crate::testing::*;

    /// Two streams with heads of so many classes.
    fn look_at(first: &[usize], second: &[usize], interleave: Interleave) -> Vec<Finding> {
        let mut plan = Subject::new(PICTURES, &[], &World::default()).plan;
        plan.recipe.train.interleave = interleave;
        let tasks = |counts: &[usize]| -> Vec<TaskPlan> {
            let task = |(index, count): (usize, &usize)| TaskPlan {
                head: format!("h{index}"),
                index,
                column: "class".into(),
                classes: (0..*count).map(|class| class.to_string()).collect(),
                weight: 1.0,
                class_weights: Vec::new(),
            };
            counts.iter().enumerate().map(task).collect()
        };
        let mut other = plan.clone();
        (plan.stream, other.stream) = ("new".into(), "replay".into());
        (plan.data.tasks, other.data.tasks) = (tasks(first), tasks(second));
        plan.streams = vec![other];
        look(&RULE, &Facts { plan: Some(&plan), ..Facts::default() })
    }

    #[test]
    fn losses_of_different_heights_are_told() {
        let found = look_at(&[8, 8, 4], &[10], Interleave::Alternate);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Info));
        // 2 ln 8 + ln 4, and ln 10
        assert!(found[0].evidence[0].contains("5.55 in `new` (3 heads)"), "{found:?}");
        assert!(found[0].evidence[0].contains("2.30 in `replay` (one head)"), "{found:?}");
    }

    #[test]
    fn losses_of_one_height_and_one_optimizer_are_not() {
        assert!(look_at(&[8], &[10], Interleave::Alternate).is_empty());
        assert!(look_at(&[8, 8, 4], &[10], Interleave::Sum).is_empty());
        assert_eq!(severity(&RULE, PICTURES, &[], &World::default()), None);
    }
}
