//! One run of a trial: a session like any other, but that nothing of it is kept.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use luthier_plan::{EvalEnd, Event, Listener, Outcome, Wish, streams};
use luthier_train::{Job, Prepared, Runner, Session, TrainError};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::clock::Clock;

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Loss on the held-out samples at the end, of several streams the sum of theirs; `None` where the run diverged
    pub loss: Option<f64>,
    /// Share of right answers there, of several streams the mean of theirs, or R² of a regression; 0 where it diverged
    pub score: f64,
    /// Updates that were made, of several streams by the first
    pub updates: u64,
    /// Each of several streams that has held-out samples, the first one first; none where the run diverged
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamEnd>,
}

/// How one of several streams ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamEnd {
    /// Its name
    pub name: String,
    /// Loss on its held-out samples
    pub loss: f64,
    /// Share of right answers there
    pub score: f64,
}

/// What is heard of a run.
#[derive(Default)]
struct Heard {
    /// The last evaluation of each stream
    evals: Vec<EvalEnd>,
    updates: u64,
}

impl Heard {
    fn keep(&mut self, end: &EvalEnd) {
        match self.evals.iter_mut().find(|old| old.stream == end.stream) {
            Some(old) => *old = end.clone(),
            None => self.evals.push(end.clone()),
        }
    }

    /// What it all comes to; `names` are those of several streams, in order.
    fn arm(&self, names: &[String]) -> Arm {
        let score = |eval: &EvalEnd| eval.accuracy.or(eval.r2).unwrap_or(0.0);
        // the first stream's evaluations have no name
        let of = |(at, name): (usize, &String)| {
            let said = if at == 0 { "" } else { name };
            let eval = self.evals.iter().find(|eval| eval.stream == said)?;
            Some(StreamEnd { name: name.clone(), loss: eval.loss, score: score(eval) })
        };
        let streams: Vec<StreamEnd> = names.iter().enumerate().filter_map(of).collect();
        let count = self.evals.len().max(1) as f64;
        let whole: f64 = self.evals.iter().map(|eval| eval.loss).sum();
        Arm {
            loss: (!self.evals.is_empty() && whole.is_finite()).then_some(whole),
            score: self.evals.iter().map(score).sum::<f64>() / count,
            updates: self.updates,
            streams,
        }
    }
}

struct Ear {
    heard: Arc<Mutex<Heard>>,
    clock: Clock,
}

impl Listener for Ear {
    fn hear(&mut self, event: &Event) -> Result<Wish, Box<dyn Diagnostic + Send + Sync>> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::EvalEnd(end) if end.split == "valid" && !end.estimate => heard.keep(end),
            Event::StepEnd(end) if end.stream.is_empty() => heard.updates += 1,
            _ => {}
        }
        Ok(if self.clock.over() { Wish::Stop } else { Wish::Continue })
    }

    fn name(&self) -> &'static str {
        "trial"
    }
}

fn folder() -> Result<TempDir, TrainError> {
    TempDir::new().map_err(|source| TrainError::File {
        path: std::env::temp_dir(),
        verb: "written",
        source,
        help: "a trial keeps its files in the system's temporary folder; `TMPDIR` names another one",
    })
}

/// Trains to the end; `None` where the clock ran out first.
pub(super) fn run(prepared: Prepared, clock: Clock) -> Result<Option<Arm>, TrainError> {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(Ear { heard: Arc::clone(&heard), clock })];
    let folder = folder()?;
    let several = !prepared.plan.streams.is_empty();
    let names: Vec<String> =
        streams::all(&prepared.plan).filter(|_| several).map(|plan| plan.stream.clone()).collect();
    let mut runner = Runner::new(prepared.plan, prepared.model)?;
    // what frozen parts give may go to a file: not to one that later runs would find
    runner.cache = folder.path().to_path_buf();
    let stop = AtomicBool::new(false);
    let end = Session::new(Job::new(runner)?, folder.path(), &mut listeners, &stop)?.unsaved().run();
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    match end {
        Ok(end) if end.outcome == Outcome::Interrupted => Ok(None),
        Ok(_) => Ok(Some(heard.arm(&names))),
        Err(TrainError::Diverged { .. }) => {
            Ok(Some(Arm { loss: None, score: 0.0, updates: heard.updates, streams: Vec::new() }))
        }
        Err(error) => Err(error),
    }
}
