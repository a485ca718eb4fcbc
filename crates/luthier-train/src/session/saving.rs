//! Checkpoints, written while the run goes on.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use luthier_plan::{Event, Plan, Position, watch};

use super::Session;
use crate::checkpoint::{self, Tensors};
use crate::scaler::Scaler;
use crate::{State, TrainError};

/// A checkpoint of up to so many bytes is copied in memory and written aside. A larger one is written at once: the copy
/// would cost more memory than the wait is worth.
const ASIDE: u64 = 256 << 20;

/// A checkpoint that is being written.
pub(super) struct Writing {
    thread: JoinHandle<Result<PathBuf, TrainError>>,
    at: Position,
    best: bool,
    /// What the run has waited for it
    seconds: f64,
}

impl Session<'_> {
    /// Writes a checkpoint of this moment. Where it is written aside, it counts once [`Session::written`] has said so.
    pub(super) fn save(&mut self, plan: &Plan) -> Result<(), TrainError> {
        if !self.saves {
            return Ok(());
        }
        self.written(true)?;
        let began = Instant::now();
        if !self.state.watch.is_up(watch::chance(plan)) && self.job.optimizer.is_finite()? {
            self.state.good = Some(self.state.update);
        }
        self.state.scaling = self.job.scaler.as_ref().map(Scaler::state);
        for (job, state) in self.job.others.iter().zip(&mut self.state.streams) {
            state.scaling = job.scaler.as_ref().map(Scaler::state);
        }
        self.state.seconds = self.seconds();
        self.began = Instant::now();
        for listener in self.listeners.iter_mut() {
            let state = listener.state().map_err(TrainError::Listener)?;
            self.state.listeners.insert(listener.name().into(), state);
        }
        let best = self.state.best.map(|best| best.update);
        let spared: Vec<u64> = best.into_iter().chain(self.state.good).collect();
        let (folder, keep) = (self.checkpoints.clone(), plan.recipe.train.checkpoint.keep);
        let (at, best) = (self.at(), best == Some(self.state.update));
        let tensors = self.job.tensors()?;
        if tensors.moving_bytes() > ASIDE {
            let path = write(&folder, &self.state, &tensors, keep, &spared)?;
            return self.tell_saved(at, best, began.elapsed().as_secs_f64(), &path);
        }
        let (state, tensors) = (self.state.clone(), tensors.aside()?);
        let thread = thread::spawn(move || write(&folder, &state, &tensors, keep, &spared));
        self.writing = Some(Writing { thread, at, best, seconds: began.elapsed().as_secs_f64() });
        Ok(())
    }

    /// Tells of the checkpoint that was being written, if it is there by now, or once it is where the run has to `wait`.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) fn written(&mut self, wait: bool) -> Result<(), TrainError> {
        let Some(writing) = self.writing.take_if(|writing| wait || writing.thread.is_finished()) else {
            return Ok(());
        };
        let began = Instant::now();
        let written = writing.thread.join();
        let path = written.unwrap_or_else(|_| Err(TrainError::State("it could not be written".into())))?;
        let seconds = writing.seconds + began.elapsed().as_secs_f64();
        self.tell_saved(writing.at, writing.best, seconds, &path)
    }

    fn tell_saved(&mut self, at: Position, best: bool, seconds: f64, path: &Path) -> Result<(), TrainError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("checkpoints/{name}");
        self.tell(&Event::CheckpointSaved { at, path, best, seconds })
    }
}

fn write(
    folder: &Path,
    state: &State,
    tensors: &Tensors,
    keep: u64,
    spared: &[u64],
) -> Result<PathBuf, TrainError> {
    let path = checkpoint::save(folder, state, tensors)?;
    checkpoint::rotate(folder, keep, spared)?;
    Ok(path)
}
