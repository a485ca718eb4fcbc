//! # SCH003 schedule-length
//!
//! ## What it finds
//! A cosine or a line whose length is not that of the run.
//!
//! ## Why it hurts
//! A cosine that ends early climbs again, or leaves the rest of the run at its lowest rate; one that ends late
//! never comes down, and the model is taken from where it still jumps about.
//!
//! ## How it is measured
//! `t_max` or `total_iters` beside the planned length, in the schedule's own unit. A warning when it is shorter
//! than 0.7 or longer than 1.5 of the run, or when a cosine has climbed by a twentieth of its highest at the end. Mostly epochs are counted as updates or the other way round, which is
//! named.
//!
//! ## Example
//! ```toml
//! [schedule]
//! type = "CosineAnnealingLR"
//! unit = "step"
//! t_max = 10        # epochs were meant
//! ```
//!
//! ## Fix
//! Leave the number out: the whole run is the default.
//!
//! ## When it is wrong
//! For restarts on purpose, where `t_max` divides the run.
//!
//! ## Source
//! `torch.optim.lr_scheduler.CosineAnnealingLR` follows the cosine beyond its period.

use luthier_recipe::{Curve, Unit};
use serde_json::json;

use crate::{Category, Facts, Finding, Kind, Phase, Rule, Severity};

/// The rule.
pub static RULE: Rule = Rule {
    code: "SCH003",
    name: "schedule-length",
    category: Category::Schedule,
    phase: Phase::Static,
    kind: Kind::Cause,
    source: include_str!("length.rs"),
    look,
};

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    let Some(plan) = facts.plan else { return Vec::new() };
    let schedule = &plan.recipe.schedule;
    let (key, length) = match schedule.curve {
        Curve::CosineAnnealingLR { t_max: Some(length), .. } => ("schedule.t_max", length),
        Curve::LinearLR { total_iters: Some(length), end_factor, .. } if end_factor < 0.5 => {
            ("schedule.total_iters", length)
        }
        _ => return Vec::new(),
    };
    let (whole, other, unit) = match schedule.unit {
        Unit::Epoch => (plan.length.epochs, plan.length.updates, "epochs"),
        Unit::Step => {
            (plan.length.updates.saturating_sub(schedule.warmup.steps), plan.length.epochs, "updates")
        }
    };
    let ratio = length as f64 / whole.max(1) as f64;
    let cosine = matches!(schedule.curve, Curve::CosineAnnealingLR { .. });
    // a few whole restarts are a plan
    let restarts =
        cosine && length > 1 && whole % length == 0 && whole / length <= 8 && (whole / length) % 2 == 1;
    // a little too short is harmless where the rate stays low, and is not where a cosine climbs again
    let climbs = cosine && climbed(&plan.lr_factors) > CLIMBED;
    if (0.7..=1.5).contains(&ratio) && !climbs || restarts || whole < 3 {
        return Vec::new();
    }
    let mut finding = rule
        .finding()
        .at(key)
        .weigh(Severity::Warning, 0.8)
        .evidence(format!("the curve is {length} {unit} long, the run {whole}"));
    if climbs {
        finding = finding.evidence(format!(
            "behind its lowest the rate climbs to {:.0} % of the highest by the end",
            100.0 * climbed(&plan.lr_factors)
        ));
    }
    if length.abs_diff(other) * 5 <= other {
        finding = finding.evidence("the number fits the other unit").weigh(Severity::Error, 0.92);
    }
    let finding = finding
        .because(
            if ratio < 1.0 {
                "the rate is at its lowest long before the end, or climbs again"
            } else {
                "the rate never comes down"
            },
            "the rate at the last update is the lowest",
        )
        .fix("as long as the run", [(key, json!(null))]);
    vec![finding]
}

/// Share of the highest rate from which a climb undoes what the fall was for.
const CLIMBED: f64 = 0.05;

/// By how much the last rate is above the lowest before it, as a share of the highest.
fn climbed(factors: &[f64]) -> f64 {
    let highest = factors.iter().copied().fold(0.0, f64::max);
    let top = factors.iter().position(|factor| *factor == highest).unwrap_or(0);
    let lowest = factors[top.min(factors.len())..].iter().copied().fold(highest, f64::min);
    factors.last().map_or(0.0, |last| (last - lowest) / highest.max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn a_curve_of_another_length_is_found_and_the_units_are_named() {
        let world = World::default();
        let with = |curve: &str| {
            severity(&RULE, TABLE, &["train.epochs=20", &format!("schedule={{{curve}}}")], &world)
        };
        assert_eq!(with("type=\"CosineAnnealingLR\",unit=\"step\",t_max=20"), Some(Severity::Error));
        assert_eq!(with("type=\"CosineAnnealingLR\",unit=\"epoch\",t_max=760"), Some(Severity::Error));
        assert_eq!(with("type=\"CosineAnnealingLR\",unit=\"epoch\",t_max=100"), Some(Severity::Warning));
        assert_eq!(
            with("type=\"LinearLR\",unit=\"epoch\",start_factor=1.0,end_factor=0.0,total_iters=2"),
            Some(Severity::Warning)
        );
        assert_eq!(with("type=\"CosineAnnealingLR\",unit=\"epoch\",t_max=20"), None);
        assert_eq!(with("type=\"CosineAnnealingLR\",unit=\"epoch\",t_max=19"), None);
        assert_eq!(with("type=\"CosineAnnealingLR\",unit=\"epoch\",t_max=15"), Some(Severity::Warning));
        assert_eq!(with("type=\"CosineAnnealingLR\",unit=\"step\""), None);
        assert_eq!(
            with("type=\"LinearLR\",unit=\"step\",start_factor=0.1,end_factor=1.0,total_iters=50"),
            None,
            "a rise"
        );
    }
}
