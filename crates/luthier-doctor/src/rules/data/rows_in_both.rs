//! # DAT010 rows-in-both
//!
//! ## What it finds
//! Rows of a table that stand in the training file and in the validation file.
//!
//! ## Why it hurts
//! Validation measures in part what is known by heart: it looks better than new data will, and goes on rising while
//! the model only learns by heart.
//!
//! ## How it is measured
//! Rows are the same where all cells are, the target included. Columns of few values repeat by chance, and a training
//! file tells how often: a leak is a share of known validation rows above three times the share of training rows that
//! are another training row, and above a fiftieth. A small table that is named twice, whole, is left to DAT009.
//!
//! ## Example
//! ```toml
//! [data]
//! train = "all.csv"
//! valid = "last-month.csv"     # some of it is in all.csv
//! ```
//!
//! ## Fix
//! One file, and `split = { valid = 0.2 }`; or take the rows out of one of the two.
//!
//! ## When it is wrong
//! When equal rows are different samples, as in a table of few columns with few values.
//!
//! ## Source
//! Deepchecks' TrainTestSamplesMix; Barz and Denzler, Do We Train on Test Data? (2020): 3 % and 10 % of CIFAR.

use luthier_plan::SplitPlan;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT010",
    name: "rows-in-both",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("rows_in_both.rs"),
    look,
};

/// Share of known validation rows that is told, and from which the figures mean something else.
const SOME: f64 = 0.02;
const MANY: f64 = 0.1;
/// Rows of a table that somebody may want to see fitted, and nothing else.
const SMALL: u64 = 500;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let (Some(table), Some(train), Some(valid)) =
        (plan.table.as_ref(), plan.data.split("train"), plan.data.split("valid"))
    else {
        return Vec::new();
    };
    let place = |split: &SplitPlan| split.hash.clone().unwrap_or_else(|| split.root.clone());
    let (rows, all) = (valid.samples.len() as u64, train.samples.len() as u64);
    let repeats = table.repeats;
    let (known, by_chance) =
        (repeats.valid as f64 / rows.max(1) as f64, repeats.train as f64 / all.max(1) as f64);
    let meant = repeats.valid == rows && rows == all && rows <= SMALL;
    // the same file, row by row, is DAT009's
    let same = place(train) == place(valid) && plan.recipe.data.valid.is_some();
    if same || meant || known <= SOME.max(3.0 * by_chance) {
        return Vec::new();
    }
    let finding = rule
        .finding()
        .at(if plan.recipe.data.valid.is_some() { "data.valid" } else { "data.split" })
        .weigh(if known >= MANY { Severity::Error } else { Severity::Warning }, 0.9)
        .evidence(format!("{} of {rows} validation rows are training rows, target included", repeats.valid))
        .evidence(format!("the first of them is line {} of `{}`", repeats.first, valid.root))
        .evidence(format!("{} of {all} training rows are another training row", repeats.train))
        .because(
            "validation measures in part what is known by heart",
            "equal rows are different samples that happen to agree in every column",
        );
    vec![super::held_out(finding, plan)]
}

#[cfg(test)]
mod tests {
    use luthier_plan::Repeats;

    use super::*;
    use crate::testing::*;

    #[test]
    fn rows_in_both_files_are_a_leak_unless_rows_repeat_anyway() {
        let with = |train, valid| {
            let repeats = Repeats { train, valid, first: 7 };
            severity(&RULE, TABLE, &[], &World { repeats, ..World::default() })
        };
        assert_eq!(with(0, 0), None);
        assert_eq!(with(0, 1), None, "one of 300");
        assert_eq!(with(0, 20), Some(Severity::Warning));
        assert_eq!(with(0, 150), Some(Severity::Error));
        assert_eq!(with(400, 90), None, "a third of the training rows repeat, too");
        assert_eq!(with(400, 300), None);
        let leak =
            World { leak: true, repeats: Repeats { train: 0, valid: 300, first: 1 }, ..World::default() };
        assert_eq!(severity(&RULE, TABLE, &[], &leak), None, "DAT009 has it");
    }
}
