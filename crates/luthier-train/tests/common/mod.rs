//! A data set of rendered solids, small enough that a run over it takes seconds, and a run that is listened to.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]
#![allow(dead_code, reason = "each test file uses its part")]

pub mod story;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use luthier_data::scenes::{SceneOptions, render};
use luthier_plan::{Event, Listener, RunEnd, Wish};
use luthier_train::{Checkpoint, Job, Runner, Session, TrainError, checkpoint, prepare};
use tempfile::TempDir;

/// Pictures of the data set.
pub const PICTURES: usize = 25;

/// A folder with `scenes/`: 25 pictures of 64 pixels, of which a quarter of each of the eight classes makes 8 for validation and 17 for training, rendered once per test binary.
pub fn data() -> &'static Path {
    static DATA: OnceLock<TempDir> = OnceLock::new();
    let folder = DATA.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let options = SceneOptions { count: PICTURES, seed: 3, size: 64, ..SceneOptions::default() };
        render(&folder.path().join("scenes"), &options, &|_, _| {}).unwrap();
        folder
    });
    folder.path()
}

/// A recipe over [`data`]: fp32, no augmentation but a flip, unless `sets` say otherwise.
pub fn recipe(sets: &[&str]) -> luthier_recipe::Recipe {
    let text = r#"
        name = "test"
        task = "image-classification"
        [data]
        train = "scenes"
        split = { valid = 0.25 }
        workers = 2
        [data.transform]
        train = [{ op = "RandomHorizontalFlip" }, { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }]
        eval = [{ op = "Resize", size = [64, 64] }, { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }]
        [model]
        arch = "resnet18"
        weights = "none"
        [optim]
        type = "SGD"
        lr = 0.01
        momentum = 0.9
        [train]
        epochs = 2
        batch_size = 4
        precision = "fp32"
    "#
    .replace("train = [{ op", "train = [{ op = \"Resize\", size = [64, 64] }, { op");
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    luthier_recipe::parse("test.toml", &text, &sets).unwrap().recipe
}

pub fn runner(sets: &[&str]) -> Runner {
    let prepared = prepare(&recipe(sets), data(), "cpu").unwrap();
    Runner::new(prepared.plan, prepared.model).unwrap()
}

/// Remembers what it hears, and asks to stop after an update.
#[derive(Clone, Default)]
pub struct Ear {
    pub heard: Arc<Mutex<Vec<Event>>>,
    pub stop_after: Option<u64>,
}

impl Listener for Ear {
    fn hear(&mut self, event: &Event) -> Result<Wish, Box<dyn miette::Diagnostic + Send + Sync>> {
        self.heard.lock().unwrap().push(event.clone());
        let stop =
            matches!((event, self.stop_after), (Event::StepEnd(step), Some(at)) if step.at.update == at);
        Ok(if stop { Wish::Stop } else { Wish::Continue })
    }

    fn name(&self) -> &'static str {
        "ear"
    }
}

/// Held while a model is made or trained: libtorch's generator is the process's, and tests that run in parallel would draw
/// each other's numbers.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // small pictures: a second thread would wait more than work
    luthier_torch::set_threads(1).unwrap();
    guard
}

/// A run in its own folder.
pub struct Run {
    pub folder: TempDir,
    pub end: Result<RunEnd, TrainError>,
    pub heard: Vec<Event>,
}

impl Run {
    pub fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("checkpoints")
    }

    pub fn last(&self) -> Checkpoint {
        checkpoint::newest(&self.checkpoints()).unwrap().0
    }
}

/// Trains from the beginning, and stops after an update if asked to.
pub fn train(sets: &[&str], stop_after: Option<u64>) -> Run {
    let folder = TempDir::new().unwrap();
    let (end, heard) = go(sets, &folder, None, stop_after, None);
    Run { folder, end, heard }
}

/// Trains with another cache folder than the user's.
pub fn train_with_cache(sets: &[&str], cache: &Path) -> Run {
    let folder = TempDir::new().unwrap();
    let (end, heard) = go(sets, &folder, None, None, Some(cache));
    Run { folder, end, heard }
}

/// Goes on with a run.
pub fn resume(sets: &[&str], run: Run, stop_after: Option<u64>) -> Run {
    let last = run.last();
    let (end, heard) = go(sets, &run.folder, Some(&last), stop_after, None);
    Run { end, heard, ..run }
}

fn go(
    sets: &[&str],
    folder: &TempDir,
    from: Option<&Checkpoint>,
    stop_after: Option<u64>,
    cache: Option<&Path>,
) -> (Result<RunEnd, TrainError>, Vec<Event>) {
    let _alone = alone();
    let ear = Ear { stop_after, ..Ear::default() };
    let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(ear.clone())];
    let stop = AtomicBool::new(false);
    let mut runner = runner(sets);
    if let Some(cache) = cache {
        runner.cache = cache.to_path_buf();
    }
    let job = Job::new(runner).unwrap();
    let checkpoints = folder.path().join("checkpoints");
    let session = Session::new(job, &checkpoints, &mut listeners, &stop).unwrap();
    let session = match from {
        Some(checkpoint) => session.resume(checkpoint).unwrap(),
        None => session,
    };
    let end = session.run();
    let heard = ear.heard.lock().unwrap().clone();
    (end, heard)
}

/// What an event says that is a function of the plan: wall times taken out.
pub fn timeless(event: &Event) -> Option<Event> {
    let mut event = event.clone();
    match &mut event {
        Event::StepEnd(step) => (step.seconds, step.data_seconds) = (0.0, 0.0),
        Event::EvalEnd(eval) => eval.seconds = 0.0,
        Event::Embeddings(end) => end.seconds = 0.0,
        Event::Clustered(clustered) => clustered.seconds = 0.0,
        Event::EpochEnd { seconds, .. } => *seconds = 0.0,
        // where a process began is what differs
        Event::RunBegin { .. }
        | Event::EpochBegin { .. }
        | Event::PrefixBegin { .. }
        | Event::PrefixEnd { .. }
        // written aside, it is told of when it is there
        | Event::CheckpointSaved { .. }
        | Event::RunEnd(_) => return None,
        Event::EvalBegin { .. }
        | Event::SampleSkipped { .. }
        | Event::StageBegin { .. }
        | Event::Monitor(_)
        | Event::Spike(_)
        | Event::NoGradient { .. } => {}
    }
    Some(event)
}
