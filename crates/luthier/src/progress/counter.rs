use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::voice::Voice;

/// A count that rises: pictures drawn, files scanned. A bar on a terminal, nothing elsewhere; may be told by many
/// threads.
#[derive(Debug)]
pub struct Counter {
    bar: ProgressBar,
}

impl Counter {
    /// Counts to `total`; `what` is being done (`drawing`, `scanning`).
    pub fn new(what: &str, total: u64, voice: &Voice) -> Counter {
        let target = if voice.look.terminal && !voice.quiet && !voice.json {
            console::set_colors_enabled_stderr(voice.look.color);
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style = ProgressStyle::with_template(
            "{prefix}  {bar:24.cyan/black.bright}  {pos}/{len}   {per_sec}   {eta} left",
        );
        if let Ok(style) = style {
            bar.set_style(style.progress_chars(voice.look.sign("━╸━", "=>-")));
        }
        bar.set_prefix(what.to_owned());
        Counter { bar }
    }

    /// So many are done.
    pub fn tell(&self, done: u64) {
        // threads tell out of order, and a bar does not go back
        if done > self.bar.position() {
            self.bar.set_position(done);
        }
    }

    /// Goes away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
