//! What a run says while it goes on.

mod common;
#[path = "common/story.rs"]
mod story;

use std::{
    io::{self, Write},
    time::Instant,
};

use luthier::{
    args::Common,
    progress::{Bar, JsonLines, Lines},
    voice::{Look, Voice},
};
use luthier_plan::{Event, Listener, Wish};

fn tell(listener: &mut dyn Listener, events: &[Event]) {
    for event in events {
        assert_eq!(listener.hear(event).expect("nothing can go wrong here"), Wish::Continue);
    }
}

fn lines(events: &[Event]) -> String {
    let mut written = Vec::new();
    tell(&mut Lines::new(&common::plan(), Look::PLAIN, 0, &mut written), events);
    String::from_utf8(written).expect("lines are text")
}

#[test]
fn a_run_leaves_a_table_behind() {
    insta::assert_snapshot!(lines(&story::events(&common::plan())));
}

#[test]
fn a_resumed_run_says_where_it_goes_on() {
    let mut events = story::events(&common::plan());
    // killed after the second step of the third epoch
    let cut = events.iter().position(|event| matches!(event, Event::StepEnd(step) if step.at.update == 16));
    let mut rest = events.split_off(cut.expect("the story has 35 updates") + 1);
    let Some(Event::StepEnd(last)) = events.last() else { panic!("cut after a step") };
    rest.insert(0, Event::RunBegin { at: last.at });
    rest.insert(1, Event::EpochBegin { at: last.at, updates: 7 });
    insta::assert_snapshot!(lines(&rest));
}

/// Whether each epoch's row is called the best so far.
fn stars(text: &str) -> Vec<bool> {
    let rows = text.lines().filter(|line| line.contains('%') && line.trim_start().contains("/5 "));
    rows.map(|line| line.ends_with("best")).collect()
}

#[test]
fn a_checkpoint_that_is_told_of_late_stars_no_other_row() {
    let mut events = story::events(&common::plan());
    assert_eq!(stars(&lines(&events)), [true, true, true, false, true]);
    // it is written while the run goes on: the fourth epoch's row is being filled when the third's is on disk
    for at in (0..events.len()).rev() {
        if matches!(events[at], Event::CheckpointSaved { .. }) {
            let later = events[at + 1..].iter().position(|event| matches!(event, Event::EpochEnd { .. }));
            let saved = events.remove(at);
            events.insert(later.map_or(events.len() - 1, |later| at + later + 1), saved);
        }
    }
    assert_eq!(stars(&lines(&events)), [true, true, true, false, true]);
}

#[test]
fn a_resumed_run_knows_what_was_best() {
    let plan = common::plan();
    let mut written = Vec::new();
    let mut listener = Lines::new(&plan, Look::PLAIN, 0, &mut written).after(Some(0.85));
    tell(&mut listener, &story::events(&plan));
    let text = String::from_utf8(written).expect("lines are text");
    assert_eq!(stars(&text), [false, false, true, false, true]);
}

#[test]
fn of_rates_that_fall_with_depth_the_recipes_own_is_told() {
    let mut plan = common::plan();
    plan.groups = vec![plan.groups[0].clone(), plan.groups[0].clone()];
    plan.groups[0].lr = 1e-5;
    plan.groups[1].lr = plan.recipe.optim.lr;
    let mut written = Vec::new();
    tell(&mut Lines::new(&plan, Look::PLAIN, 0, &mut written), &story::events(&plan));
    let text = String::from_utf8(written).expect("lines are text");
    assert!(text.contains(" 0.01 ") && !text.contains("1e-5"), "{text}");
}

#[test]
fn an_update_that_fp16_skipped_is_told() {
    let mut events = story::events(&common::plan());
    for event in &mut events {
        if let Event::StepEnd(step) = event {
            step.loss_scale = Some(65536.0);
            step.skipped = step.at.update == 3;
        }
    }
    let text = lines(&events);
    let told: Vec<&str> = text.lines().filter(|line| line.contains("skipped:")).collect();
    let expected =
        "update 3 skipped: its gradient overflowed at a loss scale of 65536, the next one has a smaller";
    assert_eq!(told, [expected], "{text}");
}

#[test]
fn an_evaluation_within_an_epoch_has_its_own_row() {
    let plan = common::plan();
    let mut events = story::events(&plan);
    let evals: Vec<Event> =
        events.iter().filter(|event| matches!(event, Event::EvalEnd(_))).take(1).cloned().collect();
    let at = events.iter().position(|event| matches!(event, Event::StepEnd(step) if step.at.update == 3));
    let at = at.expect("the story has 35 updates");
    let Event::StepEnd(step) = events[at].clone() else { panic!("found as a step") };
    let Some(Event::EvalEnd(mut eval)) = evals.first().cloned() else { panic!("the story has evaluations") };
    eval.at = step.at;
    events.insert(at + 1, Event::EvalEnd(eval));
    let text = lines(&events);
    let row = text.lines().find(|line| line.trim_start().starts_with("0.43/5"));
    assert!(row.is_some_and(|row| row.contains("78.0 %")), "{text}");
}

#[test]
fn an_evaluation_before_the_epoch_ends_shares_its_row() {
    let plan = common::plan();
    let mut events = story::events(&plan);
    // what is said within epochs depends on the clock
    let rows = |events: &[Event]| -> Vec<String> {
        lines(events).lines().filter(|line| line.contains('%')).map(str::to_owned).collect()
    };
    let straight = rows(&events);
    for window in 0..events.len() - 2 {
        // EpochEnd, EvalBegin, EvalEnd → EvalBegin, EvalEnd, EpochEnd; which a later window does not find again
        let three = &mut events[window..window + 3];
        if matches!(three, [Event::EpochEnd { .. }, Event::EvalBegin { .. }, _]) {
            three.rotate_left(1);
        }
    }
    assert_eq!(rows(&events), straight);
}

#[test]
fn every_event_is_a_line_of_json() {
    let events = story::events(&common::plan());
    let mut written = Vec::new();
    tell(&mut JsonLines::new(&mut written), &events);
    let read: Vec<Event> = String::from_utf8(written)
        .expect("JSON is text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an event"))
        .collect();
    assert_eq!(read, events);
}

/// A reader that is gone, or a disk that is full.
struct Refuses(io::ErrorKind);

impl Write for Refuses {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_leaves_stops_json_and_not_the_run_otherwise() {
    let plan = common::plan();
    let event = &story::events(&plan)[2];
    let gone = io::ErrorKind::BrokenPipe;
    assert_eq!(JsonLines::new(Refuses(gone)).hear(event).expect("no error"), Wish::Stop);
    assert!(JsonLines::new(Refuses(io::ErrorKind::StorageFull)).hear(event).is_err());
    let end = story::events(&plan).pop().expect("the story ends");
    let mut lines = Lines::new(&plan, Look::PLAIN, 0, Refuses(gone));
    assert_eq!(lines.hear(&end).expect("no error"), Wish::Continue);
    assert!(Lines::new(&plan, Look::PLAIN, 0, Refuses(io::ErrorKind::StorageFull)).hear(&end).is_err());
}

#[test]
fn listening_costs_next_to_nothing() {
    let plan = common::plan();
    let steps: Vec<Event> =
        story::events(&plan).into_iter().filter(|event| matches!(event, Event::StepEnd(_))).collect();
    let mut bar = Bar::new(&plan, &Voice::new(&Common::default()));
    let begun = Instant::now();
    for event in steps.iter().cycle().take(20_000) {
        bar.hear(event).expect("a bar has no errors");
    }
    let each = begun.elapsed() / 20_000;
    eprintln!("{each:?} per step");
    // 0.1 % of a step of 10 ms is 10 µs; drawing comes on top and is measured by `--example fake_progress -- --cost`
    assert!(each.as_micros() < 10, "{each:?} per step");
}

#[test]
fn a_narrow_window_gets_rows_that_fit() {
    let look = Look { width: 62, ..Look::PLAIN };
    let mut written = Vec::new();
    tell(&mut Lines::new(&common::plan(), look, 0, &mut written), &story::events(&common::plan()));
    let text = String::from_utf8(written).expect("lines are text");
    for line in
        text.lines().filter(|line| line.contains("train loss") || line.trim_start().contains("/5      "))
    {
        assert!(line.chars().count() <= 62, "{line}");
    }
}
