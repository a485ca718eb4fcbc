//! # DAT013 box-corners
//!
//! ## What it finds
//! Four columns that are named as the corners of a box (`x1, y1, x2, y2`, `xmin, ymin, xmax, ymax`, `left, top, right,
//! bottom`) and hold boxes whose second corner lies before the first: width and height, most likely.
//!
//! ## Why it hurts
//! A box in xywh that is read as xyxy is another box, often of negative size. A regression learns it without complaint;
//! the overlap with the true boxes stays near zero whatever the loss says.
//!
//! ## How it is measured
//! Smallest, largest and mean of each column over the training rows. A second corner that is at or after the first in
//! every row has all three at or above the first's; so one that is below is proof of a row in which it is not.
//!
//! ## Example
//! ```toml
//! [data]
//! target = ["x1", "y1", "x2", "y2"]   # the file has x, y, width, height
//! ```
//!
//! ## Fix
//! Write x + width and y + height into the file, or name the columns for what they hold.
//!
//! ## When it is wrong
//! When `x1, y1, x2, y2` are two points and not a box. Boxes that are mostly wider than they are far from the left edge
//! pass: their columns look like corners.
//!
//! ## Source
//! `torchvision.ops.box_convert`: `xyxy` is two corners, `xywh` a corner and a size.

use luthier_plan::{ColumnStats, FeatureKind};

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "DAT013",
    name: "box-corners",
    category: Category::Data,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("box_corners.rs"),
    look,
};

/// Names of first corner and second corner, x before y. The first of them may be two points of anything.
const CORNERS: [[&str; 4]; 3] =
    [["x1", "y1", "x2", "y2"], ["xmin", "ymin", "xmax", "ymax"], ["left", "top", "right", "bottom"]];

/// A column of numbers.
type Column<'a> = (&'a str, &'a ColumnStats);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(table) = facts.plan.and_then(|plan| plan.table.as_ref()) else { return Vec::new() };
    let targets: Vec<Column<'_>> =
        table.targets.iter().map(|target| (&*target.name, &target.stats)).collect();
    let numbers = table.features.iter().filter_map(|feature| match &feature.kind {
        FeatureKind::Numbers { stats, .. } => Some((&*feature.name, stats)),
        FeatureKind::Words { .. } => None,
    });
    let sides = [("data.target", targets), ("data.features", numbers.collect())];
    sides.iter().flat_map(|(key, columns)| of_columns(rule, key, columns)).collect()
}

fn of_columns(rule: &Rule, key: &str, columns: &[Column<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, corners) in CORNERS.iter().enumerate() {
        for (name, _) in columns {
            let plain = plain(name);
            let Some(before) = plain.strip_suffix(corners[0]) else { continue };
            let named = |corner: &&str| {
                let wanted = format!("{before}{corner}");
                columns.iter().find(|(name, _)| self::plain(name) == wanted).copied()
            };
            let all: Vec<Column<'_>> = corners.iter().filter_map(named).collect();
            let [x1, y1, x2, y2] = all[..] else { continue };
            let evidence: Vec<String> = [(x1, x2), (y1, y2)].into_iter().filter_map(before_it).collect();
            if evidence.is_empty() {
                continue;
            }
            let points = at == 0 && key == "data.features";
            let (severity, sure) = match at {
                0 if points => (Severity::Info, 0.5),
                0 => (Severity::Warning, 0.85),
                _ => (Severity::Warning, 0.95),
            };
            let mut finding = rule.finding().at(key).weigh(severity, sure);
            for sentence in evidence {
                finding = finding.evidence(sentence);
            }
            found.push(finding.because(
                "the columns are named as two corners and do not hold them: if they are corner and size (xywh), add the \
                 corner to the size in the file, or name them `x`, `y`, `w`, `h`",
                "the columns are two points and no box",
            ));
        }
    }
    found
}

/// Says by which figure the second corner lies before the first in some row; `None` where no figure proves it.
fn before_it((first, second): (Column<'_>, Column<'_>)) -> Option<String> {
    let ((first, a), (second, b)) = (first, second);
    // of columns with holes the figures are of different rows, and prove nothing
    if a.non_finite + b.non_finite > 0 || a.count != b.count || a.count == 0 {
        return None;
    }
    let figures = [("mean", a.mean, b.mean), ("largest", a.max, b.max), ("smallest", a.min, b.min)];
    let (figure, a, b) = figures.into_iter().find(|(_, a, b)| b < a)?;
    Some(format!(
        "`{second}` is below `{first}` in some row: its {figure} is {b:.4}, that of `{first}` {a:.4}"
    ))
}

/// A name without case and without what parts its words.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// A regression of four targets with these names; the first corner is at 10 to 90.
    fn told(names: [&str; 4], second: ColumnStats) -> Vec<Finding> {
        let first = column(50.0, 20.0, 10.0, 90.0);
        let world = World { targets: vec![first, first, second, second], ..World::default() };
        let mut subject = Subject::new(NUMBERS, &[], &world);
        let table = subject.plan.table.as_mut().unwrap();
        for (target, name) in table.targets.iter_mut().zip(names) {
            target.name = name.to_owned();
        }
        subject.look(&RULE)
    }

    const SIZES: ColumnStats =
        ColumnStats { min: 5.0, max: 60.0, mean: 30.0, std: 10.0, count: 1000, non_finite: 0 };

    #[test]
    fn sizes_in_columns_of_corners_are_found_by_any_of_the_usual_names() {
        let corners = column(80.0, 20.0, 30.0, 140.0);
        for names in [
            ["x1", "y1", "x2", "y2"],
            ["Box.Xmin", "Box.Ymin", "Box.Xmax", "Box.Ymax"],
            ["left", "top", "right", "bottom"],
        ] {
            let found = told(names, SIZES);
            assert_eq!(found.len(), 1, "{names:?}");
            assert_eq!((found[0].severity, found[0].evidence.len()), (Severity::Warning, 2), "{names:?}");
            assert!(found[0].evidence[0].contains(names[2]), "{:?}", found[0].evidence);
            assert_eq!(told(names, corners), [], "{names:?}");
        }
    }

    #[test]
    fn other_columns_and_columns_with_holes_are_left_alone() {
        assert_eq!(told(["x", "y", "w", "h"], SIZES), []);
        // the same letters, and no box
        assert_eq!(told(["x1", "x2", "x3", "x4"], SIZES), []);
        assert_eq!(told(["x1", "y1", "x2", "y2"], ColumnStats { non_finite: 3, ..SIZES }), []);
        // one figure is enough: in the row of the largest `x1`, `x2` is below it
        let mean = ColumnStats { max: 80.0, mean: 60.0, min: 20.0, ..SIZES };
        assert_eq!(told(["x1", "y1", "x2", "y2"], mean).len(), 1);
    }

    #[test]
    fn two_points_that_go_in_are_no_more_than_a_note() {
        let first = column(50.0, 20.0, 10.0, 90.0);
        let world = World { features: vec![first, first, SIZES, SIZES], ..World::default() };
        let mut subject = Subject::new(NUMBERS, &[], &world);
        let table = subject.plan.table.as_mut().unwrap();
        for (feature, name) in table.features.iter_mut().zip(["x1", "y1", "x2", "y2"]) {
            feature.name = name.to_owned();
        }
        let found = subject.look(&RULE);
        assert_eq!(found.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [Severity::Info]);
    }
}
