use crate::{
    text,
    voice::{BOLD, DIM, GREEN, Look},
};

/// One line of the table that a run leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Epochs done: 1.5 is the middle of the second
    pub epochs: f64,
    /// Mean training loss since the epoch began
    pub loss: f64,
    /// Share of right answers since the epoch began; none for a regression
    pub score: Option<f64>,
    /// The same on the validation split; the second is R² for a regression
    pub valid: Option<(f64, Option<f64>)>,
    /// It is a regression: scores are R², not shares
    pub regression: bool,
    /// The recipe's learning rate, as far as the schedule has come
    pub lr: f64,
    /// Wall time since the row before
    pub seconds: f64,
    /// The best evaluation of the whole split so far
    pub best: bool,
    /// Quick estimates on some of both splits, not means over all that was seen
    pub estimate: bool,
}

/// A window of fewer columns gets the table without its last two.
const WHOLE: usize = 78;

/// Head of the table.
pub fn header(regression: bool, look: &Look) -> String {
    let score = if regression { look.sign("R²", "R2") } else { "acc" };
    let title =
        format!("{:>7}  {:>10} {:>8}  {:>10} {:>8}", "epoch", "train loss", score, "valid loss", score);
    look.paint(DIM, &(title + &rest("lr", "time", look)))
}

fn rest(lr: &str, time: &str, look: &Look) -> String {
    if look.width < WHOLE { String::new() } else { format!("  {lr:>8}  {time:>9}") }
}

impl Row {
    /// The row as a line under [`header`].
    pub fn line(&self, epochs: u64, look: &Look) -> String {
        let whole = (self.epochs - self.epochs.round()).abs() < 1e-9;
        let epoch = if whole {
            format!("{:.0}/{epochs}", self.epochs)
        } else {
            format!("{:.2}/{epochs}", self.epochs)
        };
        let score = |score: Option<f64>| match score {
            Some(r2) if self.regression => format!("{r2:.4}"),
            Some(accuracy) => text::percent(accuracy),
            None => String::new(),
        };
        let train = format!("{:>10.4} {:>8}", self.loss, score(self.score));
        let valid = match self.valid {
            Some((loss, of)) => look.paint(BOLD, &format!("{loss:>10.4} {:>8}", score(of))),
            None => " ".repeat(19),
        };
        let rest = rest(&text::number(self.lr), &text::duration(self.seconds), look);
        let best = if self.estimate {
            format!("  {}", look.paint(DIM, "estimate"))
        } else if self.best {
            format!("  {}", look.paint(GREEN, look.sign("★ best", "* best")))
        } else {
            String::new()
        };
        format!("{epoch:>7}  {train}  {valid}{}{best}", look.paint(DIM, &rest))
    }
}
