//! One voice: how errors, warnings, hints and progress words look, on stderr; exit codes.
//!
//! A message is one sentence without a period, literals are in backticks, and what to do about it follows as
//! `hint: …` after a blank line. Data goes to stdout ([`print`]), talk to stderr.

mod failure;
mod json;
mod look;
mod out;
mod panic;
mod render;
mod snippet;

pub use failure::*;
pub use look::*;
pub use out::*;
pub use panic::run;

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
};

use miette::Diagnostic;

use crate::args::{Color, Common};

/// Who talks: knows how loud, how colourful and in which form.
#[derive(Debug, Clone)]
pub struct Voice {
    /// How text on stderr looks
    pub look: Look,
    /// Say only what went wrong
    pub quiet: bool,
    /// How much more to say: the number of `-v`
    pub verbose: u8,
    /// Errors are JSON objects, and stdout is JSON
    pub json: bool,
    color: Color,
}

impl Voice {
    /// The voice that the flags ask for.
    pub fn new(common: &Common) -> Voice {
        Voice {
            look: Look::of(&io::stderr(), common.color, io::stderr().is_terminal()),
            quiet: common.quiet,
            verbose: common.verbose,
            json: common.json,
            color: common.color,
        }
    }

    /// The voice for a call that may not parse: reads `--color` and `--json` off the words.
    pub(crate) fn of_words(argv: &[OsString]) -> Voice {
        let words: Vec<&str> =
            argv.iter().skip(1).filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
        let color_word = words.iter().enumerate().find_map(|(at, word)| match *word {
            "--color" => words.get(at + 1).copied(),
            word => word.strip_prefix("--color="),
        });
        let color = match color_word {
            Some("always") => Color::Always,
            Some("never") => Color::Never,
            _ => Color::Auto,
        };
        Voice::new(&Common { color, json: words.contains(&"--json"), ..Common::default() })
    }

    /// How text on stdout looks.
    pub fn stdout_look(&self) -> Look {
        Look::of(&io::stdout(), self.color, io::stdout().is_terminal())
    }

    /// Says what went wrong. Nothing comes back: when stderr is gone there is nobody left to tell.
    pub fn error(&self, error: &dyn Diagnostic) {
        if self.json {
            self.say(&json::error(error));
        } else {
            self.say(&render::render(error, "error", &self.look));
        }
    }

    /// Says what is odd and does not stop the work.
    pub fn warning(&self, warning: &dyn Diagnostic) {
        if !self.quiet && !self.json {
            self.say(&render::render(warning, "warning", &self.look));
        }
    }

    /// Says what is odd and does not stop the work, as a sentence.
    pub fn warn(&self, sentence: &str) {
        if !self.quiet && !self.json {
            self.say(&format!("{} {sentence}", self.look.paint(YELLOW.bold(), "warning:")));
        }
    }

    /// Says what can be done next.
    pub fn hint(&self, sentence: &str) {
        if !self.quiet && !self.json {
            self.say(&format!("{} {sentence}", self.look.paint(CYAN.bold(), "hint:")));
        }
    }

    /// Says what was done or is being done: a short verb (`trained`, `wrote`) and its object.
    pub fn status(&self, verb: &str, object: &str) {
        if !self.quiet && !self.json {
            self.say(&format!("{} {object}", self.look.paint(GREEN.bold(), verb)));
        }
    }

    /// A page that answers a call without a command.
    pub(crate) fn page(&self, text: &str) {
        self.say(text);
    }

    fn say(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = writeln!(stderr, "{}", text.trim_end());
    }
}
