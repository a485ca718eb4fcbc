//! A run as it happens: a bar that is redrawn for a person, lines for a file, JSON lines for a program.

mod bar;
mod counter;
mod json;
mod lines;
mod row;
mod tally;

pub use bar::Bar;
pub use counter::Counter;
pub use json::JsonLines;
pub use lines::Lines;

use std::io;

use luthier_plan::{Event, Listener, Plan, Wish};

use crate::voice::{AnyDiagnostic, Voice};

/// The listener that the flags and the terminal ask for: JSON lines on stdout with `--json`, nothing with `-q`, a
/// bar on a terminal, lines elsewhere. A run that goes on had `best` as its best evaluation.
pub fn listener(plan: &Plan, best: Option<f64>, voice: &Voice) -> Box<dyn Listener + Send> {
    if voice.json {
        Box::new(JsonLines::new(io::stdout()))
    } else if voice.quiet {
        Box::new(Silent)
    } else if voice.look.terminal {
        Box::new(Bar::new(plan, voice).after(best))
    } else {
        Box::new(Lines::new(plan, voice.look, voice.verbose, io::stderr()).after(best))
    }
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Listener for Silent {
    fn hear(&mut self, _: &Event) -> Result<Wish, AnyDiagnostic> {
        Ok(Wish::Continue)
    }

    fn name(&self) -> &'static str {
        "terminal"
    }
}
