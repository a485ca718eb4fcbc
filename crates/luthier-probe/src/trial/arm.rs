//! One run of a trial: a session like any other, but that nothing of it is kept.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use luthier_plan::{EmbeddingsEnd, EvalEnd, Event, Listener, Outcome, Plan, Wish, streams};
use luthier_recipe::ContrastiveLoss;
use luthier_train::{Job, Prepared, Runner, Session, TrainError};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::clock::Clock;

/// Embeddings spread less than this share of an even spread have collapsed; those of random weights are at some hundredths.
const COLLAPSED: f64 = 0.01;
/// Views closer than this share of what others are apart, all of which are found, are the same pixels, or as good as that.
const EQUAL: f64 = 1e-3;
const ALL: f64 = 0.999;

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Loss on the held-out samples at the end, of several streams the sum of theirs; `None` where the run diverged
    pub loss: Option<f64>,
    /// Share of right answers there, of several streams the mean of theirs, or R² of a regression; of a contrast, what the
    /// nearest neighbours say right. 0 where it diverged, where embeddings are one point, and where nobody can be asked
    pub score: f64,
    /// A contrast whose held-out samples have labels
    #[serde(default)]
    pub labelled: bool,
    /// It did not diverge; of a contrast besides, embeddings are not one point, and its pairs take work to be found
    #[serde(default)]
    pub sound: bool,
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
    embeddings: Option<EmbeddingsEnd>,
    /// Mean loss of the last epoch
    trained: Option<f64>,
    /// Share of instances that were found in it
    found: Option<f64>,
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
        let loss = (!self.evals.is_empty() && whole.is_finite()).then_some(whole);
        Arm {
            loss,
            score: self.evals.iter().map(score).sum::<f64>() / count,
            labelled: false,
            sound: loss.is_some(),
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
            Event::Embeddings(end) => heard.embeddings = Some(end.clone()),
            Event::EpochEnd { loss, stream, tasks, .. } if stream.is_empty() => {
                heard.trained = Some(*loss);
                let instances = tasks.iter().find(|task| task.head == ContrastiveLoss::InfoNce.as_str());
                heard.found = instances.map(|task| task.accuracy);
            }
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
    let (stop, labelled) = (AtomicBool::new(false), labelled(&runner.plan));
    let end = Session::new(Job::new(runner)?, folder.path(), &mut listeners, &stop)?.unsaved().run();
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    match end {
        Ok(end) if end.outcome == Outcome::Interrupted => Ok(None),
        Ok(_) if heard.embeddings.is_some() => Ok(Some(contrast(&heard))),
        Ok(_) => Ok(Some(heard.arm(&names))),
        Err(TrainError::Diverged { .. }) => {
            let (updates, streams) = (heard.updates, Vec::new());
            Ok(Some(Arm { loss: None, score: 0.0, labelled, sound: false, updates, streams }))
        }
        Err(error) => Err(error),
    }
}

/// How a contrast ended that did not diverge.
fn contrast(heard: &Heard) -> Arm {
    let end = heard.embeddings.as_ref();
    let collapsed = end.is_none_or(|end| end.std.is_nan() || end.std < COLLAPSED * end.even_std);
    // random weights put all pictures close together, views and others alike
    let near = |end: &EmbeddingsEnd| end.alignment < EQUAL * (end.std / end.even_std).powi(2);
    let equal = end.is_some_and(near) && heard.found.is_some_and(|share| share >= ALL);
    let knn = end.and_then(|end| end.knn);
    let loss = heard.trained.filter(|loss| loss.is_finite() && !collapsed);
    Arm {
        loss,
        score: knn.filter(|_| !collapsed).unwrap_or(0.0),
        labelled: knn.is_some(),
        sound: loss.is_some() && !equal,
        updates: heard.updates,
        streams: Vec::new(),
    }
}

/// Whether neighbours can be asked for classes.
fn labelled(plan: &Plan) -> bool {
    plan.recipe.contrastive.is_some() && plan.data.classes.len() > 1 && plan.data.split("valid").is_some()
}
