use std::collections::HashSet;
use std::fs;
use std::path::Path;

use luthier_plan::{EvalEnd, Event, Listener, StepEnd, Wish};
use miette::Diagnostic;
use prost::Message;
use serde::{Deserialize, Serialize};

use super::frame::frame;
use super::proto;
use crate::append::AppendFile;
use crate::metrics::now;
use crate::{RunDir, TrackError};

/// How the names of event files begin; TensorBoard looks for it.
const PREFIX: &str = "events.out.tfevents.";

/// Writes what happens as scalars that `tensorboard --logdir` shows: `loss/train`, `grad_norm`, `epoch` and
/// `lr/<group>` for each update, `accuracy/train` for each epoch, `loss/<split>` and `accuracy/<split>` (or `r2/<split>` and
/// `mae/<split>`) for each evaluation; of several heads, each with its name behind, and `weight/<head>`
/// and `gradient_cosine/<head>/<head>` where those are learned and measured; of streams beside the first, with the
/// stream's name before. Steps are optimizer updates of the first stream.
#[derive(Debug)]
pub struct TensorBoard {
    file: AppendFile,
    name: String,
    lr_tags: Vec<String>,
}

/// What a checkpoint remembers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Name of the event file
    file: String,
    /// Its length in bytes
    length: u64,
}

impl TensorBoard {
    /// Begins an event file; an older one of the same run is removed. `groups` are the names of the optimizer's
    /// groups, in the plan's order.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create<S: AsRef<str>>(run: &RunDir, groups: &[S]) -> Result<Self, TrackError> {
        let folder = run.tensorboard();
        remove_old(&folder)?;
        // TensorBoard wants the name to begin so, and shows the rest nowhere
        let name = format!("{PREFIX}{:010}.luthier", now() as u64);
        let file = AppendFile::create(folder.join(&name))?;
        let mut board = TensorBoard { file, name, lr_tags: lr_tags(groups) };
        board.write(0, proto::What::FileVersion("brain.Event:2".to_owned()))?;
        board.file.flush()?;
        Ok(board)
    }

    /// Goes on with the event file of an interrupted run. `state` is what [`Listener::state`] said when the
    /// checkpoint was written; with `null` (no checkpoint yet) the file begins again.
    ///
    /// # Errors
    /// The file cannot be opened, or is shorter than it was then.
    pub fn resume<S: AsRef<str>>(
        run: &RunDir,
        groups: &[S],
        state: &serde_json::Value,
    ) -> Result<Self, TrackError> {
        if state.is_null() {
            return Self::create(run, groups);
        }
        let bad = |why: String| TrackError::BadState { what: "tensorboard", why };
        let State { file: name, length } =
            State::deserialize(state).map_err(|error| bad(error.to_string()))?;
        // a name from a stranger's checkpoint stays in the folder
        if !name.starts_with(PREFIX) || name.contains(['/', '\\']) {
            return Err(bad(format!("`{name}` is not the name of an event file")));
        }
        let file = AppendFile::resume(run.tensorboard().join(&name), length)?;
        Ok(TensorBoard { file, name, lr_tags: lr_tags(groups) })
    }

    fn step(&mut self, step: &StepEnd) -> Result<(), TrackError> {
        let own = |tag: &str| in_stream(&step.stream, tag);
        let mut values = vec![value(&own("loss/train"), step.loss), value(&own("grad_norm"), step.grad_norm)];
        values.extend(step.loss_scale.map(|scale| value(&own("loss_scale"), scale)));
        if step.stream.is_empty() {
            values.push(value("epoch", step.at.epochs));
            values.extend(self.lr_tags.iter().zip(&step.lr).map(|(tag, lr)| value(tag, *lr)));
        } else {
            values.extend(
                step.lr.iter().enumerate().map(|(group, lr)| value(&own(&format!("lr/{group}")), *lr)),
            );
        }
        for task in &step.tasks {
            values.push(value(&own(&format!("loss/train/{}", task.head)), task.loss));
            values.extend(task.weight.map(|weight| value(&own(&format!("weight/{}", task.head)), weight)));
            // of contrasts, right answers are looked at update by update
            if let Some(top5) = task.top5 {
                values.push(value(&format!("top1/train/{}", task.head), task.accuracy));
                values.push(value(&format!("top5/train/{}", task.head), top5));
            }
            // and so are what a batch has to contrast
            if let Some(positives) = task.positives {
                values.push(value(&format!("top1/train/{}", task.head), task.accuracy));
                values.push(value(&format!("positives/train/{}", task.head), positives));
            }
            values.extend(task.active.map(|active| value(&format!("active/train/{}", task.head), active)));
        }
        for (one, other, cosine) in &step.gradient_cosine {
            values.push(value(&own(&format!("gradient_cosine/{one}/{other}")), *cosine));
        }
        self.scalars(step.at.update, values)
    }

    fn eval(&mut self, eval: &EvalEnd) -> Result<(), TrackError> {
        // `loss/train` is the loss of the updates
        let split = if eval.split == "train" { "train-eval" } else { &eval.split };
        let own = |tag: &str| in_stream(&eval.stream, tag);
        let mut values = vec![value(&own(&format!("loss/{split}")), eval.loss)];
        for (name, figure) in [("accuracy", eval.accuracy), ("r2", eval.r2), ("mae", eval.mae)] {
            values.extend(figure.map(|figure| value(&own(&format!("{name}/{split}")), figure)));
        }
        for task in &eval.tasks {
            values.push(value(&own(&format!("loss/{split}/{}", task.head)), task.loss));
            values.push(value(&own(&format!("accuracy/{split}/{}", task.head)), task.accuracy));
        }
        self.scalars(eval.at.update, values)?;
        self.file.flush()
    }

    fn scalars(&mut self, update: u64, value: Vec<proto::Value>) -> Result<(), TrackError> {
        self.write(update, proto::What::Summary(proto::Summary { value }))
    }

    fn write(&mut self, update: u64, what: proto::What) -> Result<(), TrackError> {
        let event = proto::Event { wall_time: now(), step: update as i64, what: Some(what) };
        self.file.write(&frame(&event.encode_to_vec()))
    }
}

impl Listener for TensorBoard {
    fn hear(&mut self, event: &Event) -> Result<Wish, Box<dyn Diagnostic + Send + Sync>> {
        match event {
            Event::StepEnd(step) => self.step(step)?,
            Event::EvalEnd(eval) => self.eval(eval)?,
            Event::EpochEnd { at, accuracy, stream, tasks, .. } => {
                let own = |tag: &str| in_stream(stream, tag);
                let all = accuracy.map(|accuracy| value(&own("accuracy/train"), accuracy));
                let each = tasks
                    .iter()
                    .map(|task| value(&own(&format!("accuracy/train/{}", task.head)), task.accuracy));
                let values: Vec<_> = all.into_iter().chain(each).collect();
                if !values.is_empty() {
                    self.scalars(at.update, values)?;
                }
                self.file.flush()?;
            }
            Event::Embeddings(end) => {
                let figures = [
                    ("alignment", Some(end.alignment)),
                    ("uniformity", Some(end.uniformity)),
                    ("std", Some(end.std)),
                    ("knn", end.knn),
                ];
                let values = figures.into_iter().filter_map(|(name, figure)| {
                    figure.map(|figure| value(&format!("embeddings/{name}"), figure))
                });
                self.scalars(end.at.update, values.collect())?;
            }
            Event::RunEnd(_) => self.file.flush()?,
            _ => {}
        }
        Ok(Wish::Continue)
    }

    fn state(&mut self) -> Result<serde_json::Value, Box<dyn Diagnostic + Send + Sync>> {
        Ok(serde_json::json!({ "file": self.name, "length": self.file.sync()? }))
    }

    fn name(&self) -> &'static str {
        "tensorboard"
    }
}

fn value(tag: &str, value: f64) -> proto::Value {
    proto::Value { tag: tag.to_owned(), simple_value: Some(value as f32), tensor: None }
}

/// The tag of a stream beside the first: `replay/loss/train`.
fn in_stream(stream: &str, tag: &str) -> String {
    if stream.is_empty() { tag.to_owned() } else { format!("{stream}/{tag}") }
}

/// One tag per group: `(all others) · no decay` becomes `lr/all_others_no_decay`, since TensorBoard's pages take
/// letters, digits and a few signs. Two groups never share a tag.
fn lr_tags<S: AsRef<str>>(groups: &[S]) -> Vec<String> {
    let mut taken = HashSet::new();
    let tag = |group: &S| {
        let words = group.as_ref().split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.');
        let words: Vec<&str> =
            words.map(|word| word.trim_matches('.')).filter(|word| !word.is_empty()).collect();
        let stem = if words.is_empty() { "lr/group".to_owned() } else { format!("lr/{}", words.join("_")) };
        let tag = (1..).map(|n| if n == 1 { stem.clone() } else { format!("{stem}_{n}") });
        tag.into_iter().find(|tag| taken.insert(tag.clone())).unwrap_or_default()
    };
    groups.iter().map(tag).collect()
}

/// Two event files in one folder would be drawn over each other.
fn remove_old(folder: &Path) -> Result<(), TrackError> {
    let failed = |source| TrackError::io("read", folder, source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let path = entry.path();
            fs::remove_file(&path).map_err(|source| TrackError::io("remove", &path, source))?;
        }
    }
    Ok(())
}
