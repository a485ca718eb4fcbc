use std::io::{self, Write};

use luthier_plan::{Event, Listener, Plan, Wish};

use super::tally::Tally;
use crate::voice::{AnyDiagnostic, Look, Sentence};

/// Seconds between two lines within an epoch.
const PAUSE: f64 = 10.0;

/// A run as plain lines: one per epoch, and one every ten seconds.
#[derive(Debug)]
pub struct Lines<W: Write> {
    tally: Tally,
    writer: W,
    said: f64,
}

impl<W: Write> Lines<W> {
    /// Writes to `writer`.
    pub fn new(plan: &Plan, look: Look, verbose: u8, writer: W) -> Self {
        Lines { tally: Tally::new(plan, look, verbose), writer, said: 0.0 }
    }

    /// Goes on with a run whose best evaluation so far was `best`.
    #[must_use]
    pub fn after(mut self, best: Option<f64>) -> Self {
        self.tally.set_best(best);
        self
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        for line in self.tally.hear(event) {
            writeln!(self.writer, "{line}")?;
        }
        let now = self.tally.seconds();
        match event {
            Event::StepEnd(step) if now - self.said >= PAUSE => {
                self.said = now;
                let length = self.tally.length();
                let updates = length.updates_per_epoch.max(1);
                let within = step.at.update - step.at.epoch.saturating_mul(updates).min(step.at.update);
                let (epoch, epochs) = (step.at.epoch + 1, length.epochs);
                writeln!(
                    self.writer,
                    "epoch {epoch}/{epochs}   {within}/{updates}   {}",
                    self.tally.now(usize::MAX - 3)
                )
            }
            Event::EpochEnd { .. } => {
                self.said = now;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl<W: Write> Listener for Lines<W> {
    fn hear(&mut self, event: &Event) -> Result<Wish, AnyDiagnostic> {
        match self.write(event) {
            Ok(()) => Ok(Wish::Continue),
            // nobody watches any more; the run is worth going on with
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Wish::Continue),
            Err(error) => Err(Box::new(Sentence {
                message: format!("cannot write progress to stderr: {error}"),
                hint: None,
            })),
        }
    }

    fn name(&self) -> &'static str {
        "terminal"
    }
}
