//! A run that computes nothing, to look at: `cargo run --example fake_progress [SPEED] [-q|-v|--json]`; `--plan` shows
//! its plan, `--cost` what listening costs per step of 10 ms.

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/story.rs"]
mod story;

use std::{
    env, thread,
    time::{Duration, Instant},
};

use luthier::{args::Common, progress, show, voice::Voice};
use luthier_plan::{Event, Plan};

#[expect(clippy::print_stdout, reason = "an example to look at")]
fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|this| this == word);
    let speed: f64 = words.iter().find_map(|word| word.parse().ok()).unwrap_or(20.0);
    let common =
        Common { json: has("--json"), quiet: has("-q"), verbose: u8::from(has("-v")), ..Common::default() };
    let voice = Voice::new(&common);
    let plan = common::plan();
    if has("--plan") {
        println!("{}", show::plan_text(&plan, &voice.stdout_look(), common.verbose));
        return;
    }
    if has("--cost") {
        return cost(&plan, &voice);
    }
    let mut listener = progress::listener(&plan, None, &voice);
    for event in story::events(&plan) {
        let seconds = match &event {
            Event::StepEnd(step) => step.seconds,
            Event::EvalEnd(eval) => eval.seconds,
            Event::CheckpointSaved { seconds, .. } => *seconds,
            _ => 0.0,
        };
        thread::sleep(Duration::from_secs_f64(seconds / speed));
        if let Err(error) = listener.hear(&event) {
            voice.error(error.as_ref());
        }
    }
}

/// 500 steps, one every 10 ms as a fast run has them: which share of the time does the listener take?
#[expect(clippy::print_stdout, reason = "an example to look at")]
fn cost(plan: &Plan, voice: &Voice) {
    let steps: Vec<Event> =
        story::events(plan).into_iter().filter(|event| matches!(event, Event::StepEnd(_))).collect();
    let mut listener = progress::listener(plan, None, voice);
    if let Some(begin) = story::events(plan).iter().find(|event| matches!(event, Event::EpochBegin { .. })) {
        let _ = listener.hear(begin);
    }
    let mut spent = Duration::ZERO;
    let mut longest = Duration::ZERO;
    for event in steps.iter().cycle().take(500) {
        thread::sleep(Duration::from_millis(10));
        let begun = Instant::now();
        let _ = listener.hear(event);
        spent += begun.elapsed();
        longest = longest.max(begun.elapsed());
    }
    let share = spent.as_secs_f64() / (500.0 * 0.01);
    println!(
        "\n{:.1} µs per step, longest {longest:?}: {:.3} % of 10 ms",
        spent.as_secs_f64() * 2e3,
        share * 100.0
    );
}
