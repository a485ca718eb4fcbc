//! The run's beginning, played at its rate and at others.

use super::subject::Subject;
use crate::{RehearsalFacts, Severity};

/// Sixty losses that come down to a level, above the start at first where they bounce.
fn played(bounce: f64, level: f64) -> Vec<f64> {
    (0..60).map(|step| if step < 5 { bounce } else { level }).collect()
}

fn digits(own: Vec<f64>, tenth: Vec<f64>, tenfold: Vec<f64>) -> Subject {
    let mut subject = Subject::digits(&[]);
    subject.probes.rehearsal = Some(RehearsalFacts { own, tenth, tenfold, share: 0.32 });
    subject
}

#[test]
fn a_rate_that_bounces_is_acquitted_where_a_tenth_does_no_better() {
    let bounces = |subject: &mut Subject| subject.steps([2.3, 40.0, 15.0, 8.0, 4.0], 0.1, 2.11, 0.35);
    let mut subject = digits(played(40.0, 0.5), played(2.3, 0.6), Vec::new());
    bounces(&mut subject);
    subject.own_leaves(1.0, 0.05);
    assert_eq!(subject.codes(), [""; 0]);
    let finding = subject.judge().findings.remove(0);
    assert_eq!((finding.code.as_str(), finding.severity), ("OPT201", Severity::Info));
    // neither has learned anything yet: a tenth does no better, and nothing is told
    let mut subject = digits(played(40.0, 2.3), played(2.3, 2.31), played(90.0, 2.4));
    bounces(&mut subject);
    assert!(!subject.codes().contains(&"OPT201".to_owned()));
    // without time for it, the first updates decide
    let mut subject = Subject::digits(&[]);
    bounces(&mut subject);
    assert!(subject.codes().contains(&"OPT201".to_owned()));
}

#[test]
fn a_rate_that_fails_where_a_tenth_learns_is_told_whatever_the_first_updates_say() {
    // momentum 0.99: the first updates are small
    let subject = digits(played(9.0, 2.4), played(2.3, 0.02), Vec::new());
    let finding = subject.judge().findings.remove(0);
    assert_eq!((finding.code.as_str(), finding.severity), ("OPT201", Severity::Error));
    let diverged = digits(vec![2.3, 90.0, f64::MAX], played(2.3, 0.5), Vec::new());
    assert_eq!(diverged.codes(), ["OPT201"]);
    // both diverge: it is not the rate alone, and nothing is known
    let both = digits(vec![2.3, f64::MAX], vec![2.3, f64::MAX], Vec::new());
    assert_eq!(both.codes(), [""; 0]);
    // a little behind, and well below what knowing nothing costs
    let late = digits(played(3.0, 0.4), played(2.3, 0.25), Vec::new());
    assert_eq!(late.codes(), [""; 0]);
}

#[test]
fn few_updates_acquit_and_never_accuse() {
    let few = |bounce: f64, level: f64| played(bounce, level).split_off(52);
    let bounces = |own: Vec<f64>, tenth: Vec<f64>| {
        let mut subject = digits(own, tenth, Vec::new());
        subject.steps([2.3, 40.0, 15.0, 8.0, 4.0], 0.1, 2.11, 0.35);
        subject.own_leaves(1.0, 0.05);
        subject
            .judge()
            .findings
            .into_iter()
            .find(|finding| finding.code == "OPT201")
            .map(|found| found.severity)
    };
    let falls = [2.3, 2.2, 2.1, 2.0, 1.9, 1.8, 1.7, 1.6].to_vec();
    assert_eq!(bounces(falls, few(2.3, 2.2)), Some(Severity::Info));
    // behind for now: the first updates decide, as without it
    assert_eq!(bounces(few(2.3, 9.0), few(2.3, 2.2)), Some(Severity::Error));
    assert_eq!(digits(few(2.3, 9.0), few(2.3, 2.2), Vec::new()).codes(), [""; 0]);
    // the time was up before the slower one had begun: nothing was compared
    assert_eq!(digits(played(2.3, 1.9), Vec::new(), Vec::new()).codes(), [""; 0]);
}

#[test]
fn a_run_that_stands_still_at_its_rate_alone_is_too_slow() {
    let subject = digits(played(2.35, 2.33), played(2.35, 2.345), played(2.3, 1.6));
    assert_eq!(subject.codes(), ["OPT202"]);
    // and where ten times the rate soon comes to what can be had by knowing nothing
    let near = digits(played(2.9, 2.55), played(2.9, 2.71), played(2.3, 2.1));
    assert_eq!(near.codes(), ["OPT202"]);
    // at ten times the rate it stands still as well
    let stuck = digits(played(2.35, 2.33), played(2.35, 2.345), played(2.3, 2.3));
    assert_eq!(stuck.codes(), [""; 0]);
}

#[test]
fn a_one_cycle_is_cured_at_its_highest_rate() {
    let mut subject = digits(played(9.0, 2.4), played(2.3, 0.02), Vec::new());
    let text = super::subject::DIGITS;
    let set = "schedule={type=\"OneCycleLR\",max_lr=6.0,unit=\"step\"}".to_owned();
    subject.plan.recipe.schedule = luthier_recipe::parse("test.toml", text, &[set]).unwrap().recipe.schedule;
    let patch = subject.judge().findings.remove(0).fix.unwrap().patch;
    let rate = patch["schedule.max_lr"].as_f64().unwrap();
    assert!(rate <= 0.6 && !patch.contains_key("optim.lr"), "{patch:?}");
}
