use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use luthier_plan::{Event, Listener, Plan, StepEnd, Wish};

use super::tally::Tally;
use crate::voice::{AnyDiagnostic, Look, Voice};

/// Between two drawings: fast enough to look alive, slow enough to read and to cost nothing.
const PAUSE: Duration = Duration::from_millis(150);

/// Columns of the bar itself.
const BAR_WIDTH: usize = 24;

/// A run on a terminal: a bar per epoch that goes away, a table that stays.
#[derive(Debug)]
pub struct Bar {
    tally: Tally,
    look: Look,
    bar: ProgressBar,
    drawn: Option<Instant>,
    /// Updates done when the epoch began, and updates in the epoch
    epoch: (u64, u64),
}

impl Bar {
    /// Draws to stderr.
    pub fn new(plan: &Plan, voice: &Voice) -> Bar {
        console::set_colors_enabled_stderr(voice.look.color);
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
        Bar {
            tally: Tally::new(plan, voice.look, voice.verbose),
            look: voice.look,
            bar,
            drawn: None,
            epoch: (0, plan.length.updates_per_epoch),
        }
    }

    /// Room for the numbers beside `epoch 3/5 ━━━━ 12/49`.
    fn room(&self) -> usize {
        let length = self.tally.length();
        let epoch = format!("epoch {0}/{0}  ", length.epochs).len();
        let counts = format!("  {0}/{0}   ", self.epoch.1).len();
        self.look.width.saturating_sub(epoch + counts + self.bar_width() + 1)
    }

    fn bar_width(&self) -> usize {
        BAR_WIDTH.min(self.look.width / 4)
    }

    fn begin_epoch(&mut self, epoch: u64, update: u64, updates: u64) {
        let within = update - epoch.saturating_mul(updates).min(update);
        self.epoch = (update - within, updates);
        let width = self.bar_width();
        self.bar.set_style(style(
            &format!("{{prefix}}  {{bar:{width}.cyan/black.bright}}  {{pos}}/{{len}}   {{msg}}"),
            self.look.sign("━╸━", "=>-"),
        ));
        self.bar.set_length(updates);
        self.bar.set_position(within);
        self.bar.set_prefix(format!("epoch {}/{}", epoch + 1, self.tally.length().epochs));
        self.bar.set_message(self.tally.now(self.room()));
    }

    fn step(&mut self, step: &StepEnd) {
        // between two drawings a step costs a look at the clock
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return;
        }
        self.drawn = Some(Instant::now());
        self.bar.set_message(self.tally.now(self.room()));
        self.bar.set_position(step.at.update.saturating_sub(self.epoch.0));
    }

    fn begin_eval(&mut self, split: &str, batches: u64) {
        self.bar.set_style(style("{spinner:.cyan} {msg:.dim}", self.look.sign("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\ ")));
        let batches = crate::text::count(batches, "batch", "batches");
        self.bar.set_message(format!("evaluating `{split}`, {batches}"));
        self.bar.enable_steady_tick(PAUSE);
    }
}

impl Listener for Bar {
    fn hear(&mut self, event: &Event) -> Result<Wish, AnyDiagnostic> {
        for line in self.tally.hear(event) {
            self.bar.println(line);
        }
        match event {
            Event::EpochBegin { at, updates } => self.begin_epoch(at.epoch, at.update, *updates),
            Event::StepEnd(step) => self.step(step),
            Event::EvalBegin { at, split, batches } => {
                let _ = at;
                self.begin_eval(split, *batches);
            }
            Event::EvalEnd(end) => {
                self.bar.disable_steady_tick();
                self.begin_epoch(end.at.epoch, end.at.update, self.epoch.1);
            }
            Event::RunEnd(_) => self.bar.finish_and_clear(),
            Event::RunBegin { .. }
            | Event::EpochEnd { .. }
            | Event::SampleSkipped { .. }
            | Event::CheckpointSaved { .. } => {}
        }
        Ok(Wish::Continue)
    }

    fn name(&self) -> &'static str {
        "terminal"
    }
}

fn style(template: &str, signs: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    if template.contains("spinner") { style.tick_chars(signs) } else { style.progress_chars(signs) }
}
