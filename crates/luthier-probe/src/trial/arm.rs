//! One run of a trial: a session like any other, but that nothing of it is kept.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use luthier_plan::{EmbeddingsEnd, EvalEnd, Event, Listener, Outcome, Plan, Wish};
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Loss on the held-out samples at the end; `None` where the run diverged
    pub loss: Option<f64>,
    /// Share of right answers there, or R² of a regression; of a contrast, what the nearest neighbours say right. 0 where
    /// it diverged, where embeddings are one point, and where nobody can be asked
    pub score: f64,
    /// A contrast whose held-out samples have labels
    #[serde(default)]
    pub labelled: bool,
    /// It did not diverge; of a contrast besides, embeddings are not one point, and its pairs take work to be found
    #[serde(default)]
    pub sound: bool,
    /// Updates that were made
    pub updates: u64,
}

/// What is heard of a run.
#[derive(Default)]
struct Heard {
    eval: Option<EvalEnd>,
    embeddings: Option<EmbeddingsEnd>,
    /// Mean loss of the last epoch
    trained: Option<f64>,
    /// Share of instances that were found in it
    found: Option<f64>,
    updates: u64,
}

struct Ear {
    heard: Arc<Mutex<Heard>>,
    clock: Clock,
}

impl Listener for Ear {
    fn hear(&mut self, event: &Event) -> Result<Wish, Box<dyn Diagnostic + Send + Sync>> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::EvalEnd(end) if end.split == "valid" && !end.estimate => heard.eval = Some(end.clone()),
            Event::Embeddings(end) => heard.embeddings = Some(end.clone()),
            Event::EpochEnd { loss, stream, tasks, .. } if stream.is_empty() => {
                heard.trained = Some(*loss);
                let instances = tasks.iter().find(|task| task.head == ContrastiveLoss::InfoNce.as_str());
                heard.found = instances.map(|task| task.accuracy);
            }
            Event::StepEnd(_) => heard.updates += 1,
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
    let mut runner = Runner::new(prepared.plan, prepared.model)?;
    // what frozen parts give may go to a file: not to one that later runs would find
    runner.cache = folder.path().to_path_buf();
    let (stop, labelled) = (AtomicBool::new(false), labelled(&runner.plan));
    let end = Session::new(Job::new(runner)?, folder.path(), &mut listeners, &stop)?.unsaved().run();
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let (eval, updates) = (&heard.eval, heard.updates);
    match end {
        Ok(end) if end.outcome == Outcome::Interrupted => Ok(None),
        Ok(_) if heard.embeddings.is_some() => Ok(Some(contrast(&heard))),
        Ok(_) => {
            let loss = eval.as_ref().map(|eval| eval.loss).filter(|loss| loss.is_finite());
            let score = eval.as_ref().and_then(|eval| eval.accuracy.or(eval.r2)).unwrap_or(0.0);
            Ok(Some(Arm { loss, score, labelled: false, sound: loss.is_some(), updates }))
        }
        Err(TrainError::Diverged { .. }) => {
            Ok(Some(Arm { loss: None, score: 0.0, labelled, sound: false, updates }))
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
    }
}

/// Whether neighbours can be asked for classes.
fn labelled(plan: &Plan) -> bool {
    plan.recipe.contrastive.is_some() && plan.data.classes.len() > 1 && plan.data.split("valid").is_some()
}
