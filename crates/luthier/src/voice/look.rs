use std::env;

use anstream::{AutoStream, ColorChoice, stream::RawStream};
use anstyle::{AnsiColor, Style};

use crate::args::Color;

/// Something is wrong
pub const RED: Style = AnsiColor::Red.on_default();
/// Something is odd
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Something is done
pub const GREEN: Style = AnsiColor::Green.on_default();
/// Something to do, or a heading
pub const CYAN: Style = AnsiColor::Cyan.on_default();
/// The words that matter
pub const BOLD: Style = Style::new().bold();
/// The words that can be skipped
pub const DIM: Style = Style::new().dimmed();

/// How text looks where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// With ANSI colours
    pub color: bool,
    /// With signs outside ASCII
    pub unicode: bool,
    /// Columns to fill
    pub width: usize,
    /// A person watches: lines can be redrawn
    pub terminal: bool,
}

impl Look {
    /// Widest text, however wide the window: longer lines are hard to read.
    pub const WIDEST: usize = 100;

    /// No colours, no window: what a file gets.
    pub const PLAIN: Look = Look { color: false, unicode: true, width: Look::WIDEST, terminal: false };

    /// The look for a stream. `auto` follows `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM`.
    pub fn of(stream: &impl RawStream, color: Color, terminal: bool) -> Look {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => AutoStream::choice(stream) != ColorChoice::Never,
        };
        // the window that both streams show up in, if any
        let window =
            console::Term::stderr().size_checked().or_else(|| console::Term::stdout().size_checked());
        let width = match window {
            Some((_, columns)) if terminal => usize::from(columns).clamp(40, Look::WIDEST),
            _ => Look::WIDEST,
        };
        let dumb = env::var("TERM").is_ok_and(|term| term == "dumb");
        Look { color, unicode: unicode(), width, terminal: terminal && !dumb }
    }

    /// The text in a style, or plain where there are no colours.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The first where signs outside ASCII can be shown, else the second.
    pub fn sign<'a>(&self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.unicode { unicode } else { ascii }
    }
}

/// Signs outside ASCII can be shown: not on the Linux console or a dumb terminal, and not when the locale names
/// another encoding. No locale at all (a container) says nothing about the terminal, and terminals know UTF-8.
fn unicode() -> bool {
    if env::var("TERM").is_ok_and(|term| term == "dumb" || term == "linux") {
        return false;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
