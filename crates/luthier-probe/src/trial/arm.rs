//! One run of a trial: a session like any other, but that nothing of it is kept.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use luthier_plan::{EvalEnd, Event, Listener, Outcome, Wish};
use luthier_train::{Job, Prepared, Runner, Session, TrainError};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::clock::Clock;

/// How one run ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Loss on the held-out samples at the end; `None` where the run diverged
    pub loss: Option<f64>,
    /// Share of right answers there, or R² of a regression; 0 where it diverged
    pub score: f64,
    /// Updates that were made
    pub updates: u64,
}

/// What is heard of a run.
#[derive(Default)]
struct Heard {
    eval: Option<EvalEnd>,
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
    let stop = AtomicBool::new(false);
    let end = Session::new(Job::new(runner)?, folder.path(), &mut listeners, &stop)?.unsaved().run();
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let (eval, updates) = (&heard.eval, heard.updates);
    match end {
        Ok(end) if end.outcome == Outcome::Interrupted => Ok(None),
        Ok(_) => {
            let loss = eval.as_ref().map(|eval| eval.loss).filter(|loss| loss.is_finite());
            let score = eval.as_ref().and_then(|eval| eval.accuracy.or(eval.r2)).unwrap_or(0.0);
            Ok(Some(Arm { loss, score, updates }))
        }
        Err(TrainError::Diverged { .. }) => Ok(Some(Arm { loss: None, score: 0.0, updates })),
        Err(error) => Err(error),
    }
}
