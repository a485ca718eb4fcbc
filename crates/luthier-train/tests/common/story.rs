//! A run of any recipe, its checkpoints and what was told of it.

use std::sync::atomic::AtomicBool;

use luthier_plan::{Event, Listener, StepEnd};
use luthier_recipe::Recipe;
use luthier_train::{Checkpoint, Job, Runner, Session, checkpoint, prepare};
use luthier_weights::Weights;
use tempfile::TempDir;

use super::{Ear, alone, data};

/// A run that has ended, or was stopped.
pub struct Run {
    pub folder: TempDir,
    pub heard: Vec<Event>,
}

/// The job of a recipe over the data of these tests.
pub fn job(recipe: &Recipe) -> Job {
    let prepared = prepare(recipe, data(), "cpu").unwrap();
    Job::new(Runner::new(prepared.plan, prepared.model).unwrap()).unwrap()
}

impl Run {
    /// Runs from the beginning, or from the last checkpoint of another run, whose folder it takes.
    pub fn go(recipe: &Recipe, from: Option<Run>, stop_after: Option<u64>) -> Run {
        let _alone = alone();
        let ear = Ear { stop_after, ..Ear::default() };
        let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(ear.clone())];
        let stop = AtomicBool::new(false);
        let last = from.as_ref().map(Run::last);
        let folder = from.map_or_else(|| TempDir::new().unwrap(), |run| run.folder);
        let session = Session::new(job(recipe), folder.path(), &mut listeners, &stop).unwrap();
        let session = match &last {
            Some(last) => session.resume(last).unwrap(),
            None => session,
        };
        session.run().unwrap();
        let heard = ear.heard.lock().unwrap().clone();
        Run { folder, heard }
    }

    pub fn last(&self) -> Checkpoint {
        checkpoint::newest(self.folder.path()).unwrap().0
    }

    pub fn weights(&self) -> Weights {
        self.last().raw()
    }

    pub fn steps(&self) -> Vec<&StepEnd> {
        fn step(event: &Event) -> Option<&StepEnd> {
            if let Event::StepEnd(step) = event { Some(step) } else { None }
        }
        self.heard.iter().filter_map(step).collect()
    }
}
