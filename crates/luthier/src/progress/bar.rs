use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use luthier_plan::{Event, Listener, Plan, StepEnd, Wish};

use super::tally::Tally;
use crate::{
    text,
    voice::{AnyDiagnostic, CYAN, DIM, Look, Voice},
};

/// Between two drawings: fast enough to look alive, slow enough to read and to cost nothing.
const PAUSE: Duration = Duration::from_millis(400);

/// Between two pictures of the spinner, which turns in a thread of its own while nothing is trained.
const TURN: Duration = Duration::from_millis(120);

/// Columns of the bar itself.
const BAR_WIDTH: usize = 24;

/// A run on a terminal: a bar per epoch that goes away, a table that stays.
#[derive(Debug)]
pub struct Bar {
    tally: Tally,
    look: Look,
    line: ProgressBar,
    drawn: Option<Instant>,
    epoch: u64,
    /// Updates done when the epoch began, and updates in the epoch
    begun: u64,
    updates: u64,
}

impl Bar {
    /// Draws to stderr.
    pub fn new(plan: &Plan, voice: &Voice) -> Bar {
        console::set_colors_enabled_stderr(voice.look.color);
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        line.set_style(style("{msg}"));
        Bar {
            tally: Tally::new(plan, voice.look, voice.verbose),
            look: voice.look,
            line,
            drawn: None,
            epoch: 0,
            begun: 0,
            updates: plan.length.updates_per_epoch,
        }
    }

    /// Goes on with a run whose best evaluation so far was `best`.
    #[must_use]
    pub fn after(mut self, best: Option<f64>) -> Bar {
        self.tally.set_best(best);
        self
    }

    fn begin_epoch(&mut self, epoch: u64, update: u64, updates: u64) {
        self.epoch = epoch;
        self.updates = updates;
        // a resumed run begins within an epoch
        self.begun = epoch.saturating_mul(self.tally.length().updates_per_epoch).min(update);
        self.draw(update);
    }

    fn step(&mut self, step: &StepEnd) {
        // between two drawings a step costs a look at the clock
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE) {
            self.draw(step.at.update);
        }
    }

    /// `epoch 2/5  ━━━━━━━━╸━━━━━━━━━  31/49   412 samples/s   loss 0.3121   lr 0.01   1 m 12 s left`
    fn draw(&mut self, update: u64) {
        self.drawn = Some(Instant::now());
        let width = BAR_WIDTH.min(self.look.width / 4);
        let within = update.saturating_sub(self.begun);
        let epoch = format!("epoch {}/{}", self.epoch + 1, self.tally.length().epochs);
        let counts = format!("{within:>digits$}/{}", self.updates, digits = self.updates.to_string().len());
        let room = self.look.width.saturating_sub(epoch.len() + width + counts.len() + 8);
        let bar = bar(within, self.updates, width, &self.look);
        // one message is one drawing: the line's own position and prefix would each draw again
        self.line.set_message(format!("{epoch}  {bar}  {counts}   {}", self.tally.now(room)));
    }

    fn begin_eval(&self, split: &str, batches: u64) {
        self.spin(format!("evaluating `{split}`, {}", text::count(batches, "batch", "batches")));
    }

    fn begin_prefix(&self, samples: u64) {
        self.spin(format!("running frozen parts over {}", text::count(samples, "sample", "samples")));
    }

    fn spin(&self, message: String) {
        let signs = self.look.sign("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\ ");
        self.line.set_style(style("{spinner:.cyan} {msg:.dim}").tick_chars(signs));
        self.line.set_message(message);
        self.line.enable_steady_tick(TURN);
    }

    fn end_eval(&mut self, update: u64) {
        self.line.disable_steady_tick();
        self.line.set_style(style("{msg}"));
        self.draw(update);
    }
}

impl Listener for Bar {
    fn hear(&mut self, event: &Event) -> Result<Wish, AnyDiagnostic> {
        for line in self.tally.hear(event) {
            self.line.println(line);
        }
        match event {
            Event::EpochBegin { at, updates } => self.begin_epoch(at.epoch, at.update, *updates),
            Event::StepEnd(step) => self.step(step),
            Event::EvalBegin { split, batches, .. } => self.begin_eval(split, *batches),
            Event::EvalEnd(end) => self.end_eval(end.at.update),
            Event::EpochEnd { at, .. } => self.draw(at.update),
            Event::RunEnd(_) => self.line.finish_and_clear(),
            Event::PrefixBegin { samples, .. } => self.begin_prefix(*samples),
            Event::PrefixEnd { at, .. } => self.end_eval(at.update),
            Event::RunBegin { .. }
            | Event::StageBegin { .. }
            | Event::SampleSkipped { .. }
            | Event::NoGradient { .. }
            | Event::Monitor(_)
            | Event::Spike(_)
            | Event::Clustered(_)
            | Event::Embeddings(_)
            | Event::CheckpointSaved { .. } => {}
        }
        Ok(Wish::Continue)
    }

    fn name(&self) -> &'static str {
        "terminal"
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Done cells bright, the others dim; without colours the others are left blank.
fn bar(done: u64, all: u64, width: usize, look: &Look) -> String {
    let share = if all == 0 { 0.0 } else { (done as f64 / all as f64).clamp(0.0, 1.0) };
    let full = (share * width as f64).round() as usize;
    let sign = look.sign("━", "=");
    let rest =
        if look.color { look.paint(DIM, &sign.repeat(width - full)) } else { " ".repeat(width - full) };
    format!("{}{rest}", look.paint(CYAN, &sign.repeat(full)))
}
