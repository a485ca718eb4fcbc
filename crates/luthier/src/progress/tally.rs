use luthier_plan::{EvalEnd, Event, Length, Outcome, Plan, Position, RunEnd, Spike, StepEnd};
use luthier_recipe::Metric;

use super::row::{self, Row};
use crate::{
    text,
    voice::{DIM, GREEN, Look, YELLOW},
};

/// Share of the old value that a smoothed number keeps per update: about the last twenty count.
const KEEP: f64 = 0.95;

/// A number without its noise: an exponential mean that does not begin at zero.
#[derive(Debug, Clone, Copy, Default)]
struct Smooth {
    sum: f64,
    weight: f64,
}

impl Smooth {
    fn add(&mut self, value: f64) {
        self.sum = KEEP * self.sum + (1.0 - KEEP) * value;
        self.weight = KEEP * self.weight + (1.0 - KEEP);
    }

    fn value(self) -> f64 {
        self.sum / self.weight
    }
}

/// What has happened so far, and the lines that are left behind for it. Draws nothing. Its clock is the events' own
/// `seconds`.
#[derive(Debug)]
pub struct Tally {
    look: Look,
    verbose: u8,
    length: Length,
    metric: Metric,
    /// There are no classes: scores are R²
    regression: bool,
    header: bool,
    /// Sums over the running epoch: loss × samples, right answers, samples
    epoch: (f64, f64, u64),
    pending: Option<Row>,
    /// Wall time since the last row
    row_seconds: f64,
    loss: Smooth,
    sample_seconds: Smooth,
    lr: f64,
    /// Which of an update's learning rates is told
    group: usize,
    /// The best evaluation so far
    best: Option<f64>,
    update: u64,
    updates_here: u64,
    train_seconds: f64,
    other_seconds: f64,
}

impl Tally {
    pub fn new(plan: &Plan, look: Look, verbose: u8) -> Tally {
        let factor = plan.lr_factors.first().copied().unwrap_or(1.0);
        let group = told_group(plan);
        Tally {
            look,
            verbose,
            length: plan.length,
            metric: plan.recipe.eval.metric,
            regression: plan.data.classes.is_empty(),
            header: false,
            epoch: (0.0, 0.0, 0),
            pending: None,
            row_seconds: 0.0,
            loss: Smooth::default(),
            sample_seconds: Smooth::default(),
            lr: plan.groups.get(group).map_or(0.0, |group| group.lr) * factor,
            group,
            best: None,
            update: 0,
            updates_here: 0,
            train_seconds: 0.0,
            other_seconds: 0.0,
        }
    }

    /// Goes on where the best evaluation so far was that.
    pub fn set_best(&mut self, best: Option<f64>) {
        self.best = best;
    }

    /// Takes an event in. The lines to leave behind: none for most events.
    pub fn hear(&mut self, event: &Event) -> Vec<String> {
        let mut lines = Vec::new();
        match event {
            Event::RunBegin { at } => {
                self.update = at.update;
                if at.update > 0 {
                    let here = format!("going on after update {} of {}", at.update, self.length.updates);
                    lines.push(self.look.paint(DIM, &here));
                }
            }
            Event::EpochBegin { .. } => {
                self.flush(&mut lines);
                self.epoch = (0.0, 0.0, 0);
            }
            Event::StepEnd(step) if step.skipped && step.stream.is_empty() => {
                self.flush(&mut lines);
                self.step(step);
                lines.push(self.look.paint(DIM, &skipped(step)));
            }
            // the table is the first stream's
            Event::StepEnd(step) if !step.stream.is_empty() => self.other_seconds += step.seconds,
            Event::EvalEnd(eval) if !eval.stream.is_empty() => {
                self.other_seconds += eval.seconds;
                let share =
                    eval.accuracy.map_or(String::new(), |share| format!(", accuracy {:.2} %", share * 100.0));
                let line = format!("  {} {} loss {:.4}{share}", eval.stream, eval.split, eval.loss);
                self.flush(&mut lines);
                lines.push(self.look.paint(DIM, &line));
            }
            Event::EpochEnd { stream, .. } if !stream.is_empty() => {}
            Event::StepEnd(step) => {
                self.flush(&mut lines);
                self.step(step);
            }
            Event::EvalBegin { .. } | Event::Monitor(_) => {}
            Event::NoGradient { tensors, stream, .. } => {
                let named =
                    tensors.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let more = match tensors.len().saturating_sub(3) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let warning = self.look.paint(YELLOW.bold(), "warning:");
                let of = if stream.is_empty() { String::new() } else { format!(" of stream `{stream}`") };
                lines.push(format!(
                    "{warning} no gradient reached {named}{more} in the first update{of}: the loss does not depend on them, \
                     and they stay as they are"
                ));
            }
            Event::Spike(spike) => lines.extend(self.spike(spike)),
            Event::StageBegin { name, tensors, .. } => {
                self.flush(&mut lines);
                let tensors = text::count(*tensors, "tensor", "tensors");
                lines.push(self.look.paint(DIM, &format!("stage `{name}` trains {tensors}")));
            }
            Event::Clustered(clustered) => {
                self.other_seconds += clustered.seconds;
                self.flush(&mut lines);
                let counts: Vec<String> =
                    clustered.granularities.iter().map(|one| one.clusters.to_string()).collect();
                let (samples, time) =
                    (text::count(clustered.samples, "sample", "samples"), text::duration(clustered.seconds));
                let line = format!("{samples} in {} clusters, found in {time}", counts.join(", "));
                lines.push(self.look.paint(DIM, &line));
            }
            Event::Embeddings(end) => {
                self.other_seconds += end.seconds;
                self.row_seconds += end.seconds;
                self.flush(&mut lines);
                let knn =
                    end.knn.map_or(String::new(), |knn| format!(", kNN accuracy {}", text::percent(knn)));
                let line = format!(
                    "embeddings: alignment {:.3}, uniformity {:.2}, std {:.4} of {:.4}{knn}",
                    end.alignment, end.uniformity, end.std, end.even_std
                );
                lines.push(self.look.paint(DIM, &line));
            }
            Event::PrefixBegin { .. } => self.flush(&mut lines),
            Event::PrefixEnd { run, bytes, seconds, .. } => {
                self.other_seconds += seconds;
                let samples = text::count(*run, "sample", "samples");
                let what = if *run == 0 {
                    "found in the cache folder".into()
                } else {
                    format!("ran over {samples}")
                };
                let (size, time) = (text::bytes(*bytes), text::duration(*seconds));
                lines.push(self.look.paint(DIM, &format!("frozen parts: {what} in {time}, {size} kept")));
            }
            Event::EvalEnd(eval) => self.eval(eval, &mut lines),
            Event::EpochEnd { at, loss, accuracy, .. } => {
                let row = self.row(*at);
                row.loss = *loss;
                row.score = *accuracy;
                row.estimate = false;
            }
            Event::SampleSkipped { path, why, .. } => {
                lines.push(format!("{} skipped `{path}`: {why}", self.look.paint(YELLOW.bold(), "warning:")));
            }
            Event::CheckpointSaved { path, seconds, .. } => {
                self.other_seconds += seconds;
                self.row_seconds += seconds;
                if self.verbose > 0 {
                    lines.push(
                        self.look.paint(DIM, &format!("saved `{path}` in {}", text::duration(*seconds))),
                    );
                }
            }
            Event::RunEnd(end) => {
                self.flush(&mut lines);
                lines.push(self.last_line(end));
            }
        }
        lines
    }

    fn step(&mut self, step: &StepEnd) {
        self.update = step.at.update;
        self.updates_here += 1;
        self.train_seconds += step.seconds;
        self.row_seconds += step.seconds;
        self.loss.add(step.loss);
        if step.count > 0 {
            self.sample_seconds.add(step.seconds / step.count as f64);
        }
        self.lr = step.lr.get(self.group).copied().unwrap_or(self.lr);
        self.epoch.0 += step.loss * step.count as f64;
        self.epoch.1 += step.accuracy() * step.count as f64;
        self.epoch.2 += step.count;
    }

    /// A batch that is odd is worth a line to who asked for many; a computation that cannot be trusted, to everyone.
    fn spike(&self, spike: &Spike) -> Option<String> {
        let (update, loss, median) = (spike.at.update, spike.loss, spike.median);
        if !spike.is_repeatable() {
            let again = spike.again;
            return Some(format!(
                "{} the loss of update {update} is {loss:.4}, and was {again:.4} when it was computed again from the \
                 same samples and random numbers: the computation is not deterministic",
                self.look.paint(YELLOW.bold(), "warning:")
            ));
        }
        let worst =
            spike.samples.first().map_or(String::new(), |(path, _)| format!(", most of it from `{path}`"));
        let line = format!("the loss of update {update} is {loss:.4}, usual is {median:.4}{worst}");
        (self.verbose > 0).then(|| self.look.paint(DIM, &line))
    }

    fn eval(&mut self, eval: &EvalEnd, lines: &mut Vec<String>) {
        self.other_seconds += eval.seconds;
        self.row_seconds += eval.seconds;
        if eval.estimate {
            let row = self.row(eval.at);
            row.estimate = true;
            match eval.split.as_str() {
                "valid" => row.valid = Some((eval.loss, score(eval))),
                _ => (row.loss, row.score) = (eval.loss, score(eval)),
            }
        } else if eval.split == "valid" {
            // not what a checkpoint says of itself: it is written while the run goes on, and told rows later
            let best = self.is_best(eval);
            let row = self.row(eval.at);
            row.valid = Some((eval.loss, score(eval)));
            row.best = best;
        } else {
            self.flush(lines);
            let mut line = format!("{:>7}  loss {:.4}, ", eval.split, eval.loss);
            for (name, figure) in figures(eval) {
                line.push_str(&format!("{name} {figure}, "));
            }
            lines.push(line + &text::count(eval.count, "sample", "samples"));
        }
    }

    /// Whether it is the best evaluation so far, as the session judges it.
    fn is_best(&mut self, eval: &EvalEnd) -> bool {
        let value = eval.judged_by(self.metric);
        let higher = self.metric.higher_is_better();
        let best = self.best.is_none_or(|best| if higher { value > best } else { value < best });
        if best {
            self.best = Some(value);
        }
        best
    }

    /// The row that is being filled: an epoch's end and an evaluation at the same update share one, in either order.
    fn row(&mut self, at: Position) -> &mut Row {
        let (loss, right, count) = self.epoch;
        let (lr, regression) = (self.lr, self.regression);
        self.pending.get_or_insert_with(|| Row {
            epochs: at.epochs,
            loss: loss / count as f64,
            score: (!regression).then(|| right / count as f64),
            regression,
            valid: None,
            lr,
            seconds: 0.0,
            best: false,
            estimate: false,
        })
    }

    fn flush(&mut self, lines: &mut Vec<String>) {
        if let Some(mut row) = self.pending.take() {
            row.seconds = self.row_seconds;
            self.row_seconds = 0.0;
            if !self.header {
                self.header = true;
                lines.push(row::header(self.regression, &self.look));
            }
            lines.push(row.line(self.length.epochs, &self.look));
        }
    }

    fn last_line(&self, end: &RunEnd) -> String {
        let (style, verb) = match end.outcome {
            Outcome::Finished => (GREEN, "trained"),
            Outcome::Stopped => (GREEN, "stopped early after"),
            Outcome::Interrupted => (YELLOW, "interrupted after"),
            Outcome::Diverged => (YELLOW, "diverged after"),
        };
        let epochs = if end.at.epochs.fract() == 0.0 {
            text::count(end.at.epochs as u64, "epoch", "epochs")
        } else {
            format!("{:.2} epochs", end.at.epochs)
        };
        let mut line =
            format!("{} {epochs} in {}", self.look.paint(style.bold(), verb), text::duration(end.seconds));
        if let (Some(metric), Some(update)) = (end.best_metric, end.best_update) {
            let metric = match self.metric {
                Metric::Loss => format!("loss {metric:.4}"),
                Metric::Accuracy => format!("accuracy {}", text::percent(metric)),
                Metric::R2 => format!("R² {metric:.4}"),
            };
            let epoch = update as f64 / self.length.updates_per_epoch.max(1) as f64;
            line.push_str(&format!(", best validation {metric} after epoch {}", text::number(epoch)));
        }
        line
    }

    /// Length of the run.
    pub fn length(&self) -> Length {
        self.length
    }

    /// Wall time of this process's updates and evaluations.
    pub fn seconds(&self) -> f64 {
        self.train_seconds + self.other_seconds
    }

    /// The numbers of now, as many as fit into `width` columns; the most wanted ones stay longest.
    pub fn now(&self, width: usize) -> String {
        if self.updates_here == 0 {
            return String::new();
        }
        let rate = 1.0 / self.sample_seconds.value();
        let rate = if rate < 10.0 { format!("{rate:.1} samples/s") } else { format!("{rate:.0} samples/s") };
        let mut parts = vec![
            (2, rate),
            (0, format!("loss {:.4}", self.loss.value())),
            (3, format!("lr {}", text::number(self.lr))),
            (1, format!("{} left", text::duration(self.seconds_left()))),
        ];
        for least in (1..=3).rev() {
            let taken: usize = parts.iter().map(|(_, part)| part.len() + 3).sum();
            if taken <= width + 3 {
                break;
            }
            parts.retain(|(rank, _)| *rank < least);
        }
        let parts: Vec<&str> = parts.iter().map(|(_, part)| part.as_str()).collect();
        parts.join("   ")
    }

    /// Wall time to the end of the run: what is left of the updates at this process's mean pace, and as much
    /// evaluation and saving per update as there was so far.
    fn seconds_left(&self) -> f64 {
        let left = self.length.updates.saturating_sub(self.update) as f64;
        left * self.seconds() / self.updates_here as f64
    }
}

/// An update of fp16 that was left out.
fn skipped(step: &StepEnd) -> String {
    let scale = step.loss_scale.map_or(String::new(), |scale| format!(" of {}", text::number(scale)));
    format!(
        "update {} skipped: its gradient overflowed at a loss scale{scale}, the next one has a smaller",
        step.at.update
    )
}

/// The group whose rate is the recipe's own: of rates that fall with depth the first is the smallest, which stands for none.
fn told_group(plan: &Plan) -> usize {
    plan.groups.iter().position(|group| group.lr == plan.recipe.optim.lr).unwrap_or(0)
}

/// Share of right answers, or R².
fn score(eval: &EvalEnd) -> Option<f64> {
    eval.accuracy.or(eval.r2)
}

/// The figures of an evaluation besides its loss, with their names.
fn figures(eval: &EvalEnd) -> Vec<(&'static str, String)> {
    let all = [
        ("accuracy", eval.accuracy.map(text::percent)),
        ("R²", eval.r2.map(|r2| format!("{r2:.4}"))),
        ("mean absolute error", eval.mae.map(text::number)),
    ];
    all.into_iter().filter_map(|(name, figure)| Some((name, figure?))).collect()
}
