//! A run, repeated from a checkpoint to the update that was asked for.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use luthier::voice::{Blame, Failure, Voice};
use luthier_plan::{Event, Listener, Plan, TensorPoint, Wish};
use luthier_track::RunDir;
use luthier_train::{Checkpoint, Job, Runner, Session, checkpoint, planned_model};

use super::Opened;
use crate::opened::{base, warn_passed};

/// Opens the optimizers of a run after update `at`, or at its newest checkpoint.
pub fn open(run: &RunDir, at: Option<u64>, device: Option<&str>, voice: &Voice) -> Result<Opened, Failure> {
    let mut plan = run.plan().or_call()?;
    let last = plan.length.updates;
    if let Some(at) = at.filter(|at| *at > last) {
        return Err(Failure::misuse(
            format!("the run has no update {at}: {last} are planned"),
            "give one of its updates to `--at`, or leave it out for the newest checkpoint",
        ));
    }
    if let Some(device) = device {
        plan.device = device.into();
    }
    plan.base = base(&plan);
    let kept = newest_until(&run.checkpoints(), at, voice);
    let update = at.or(kept.as_ref().map(|kept| kept.state.update)).ok_or_else(|| {
        Failure::misuse(
            format!("`{}` has no whole checkpoint", run.path().display()),
            "with `--at UPDATE` the run is repeated from its beginning to that update",
        )
    })?;
    let begins = kept.as_ref().map_or(0, |kept| kept.state.update);
    if begins < update && plan.ranks > 1 {
        return Err(Failure::misuse(
            format!("{} processes made update {update} together, and one cannot repeat it", plan.ranks),
            format!("its checkpoints can be opened: {}", updates_of(&run.checkpoints())),
        ));
    }
    // monitors change no number, and this one sees the update that was asked for
    plan.recipe.train.monitor.enabled = true;
    plan.recipe.train.monitor.every = Some(update);
    let there = begins == update;
    if !there {
        voice.status("repeating", &format!("updates {} to {update}; nothing is written", begins + 1));
    }
    let found = Rc::new(RefCell::new(Found::default()));
    let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(Until { update, found: Rc::clone(&found) })];
    let stop = AtomicBool::new(false);
    let session = session(&plan, kept.as_ref(), &run.checkpoints(), &mut listeners, &stop)?;
    let optimizers = if there { session.opened() } else { session.open_where_it_stops() }.or_subject()?;
    drop(listeners);
    let found = found.take();
    if !there && found.update != update {
        return Err(Failure::misuse(
            format!("the run ended after update {}, before {update}", found.update),
            "give an earlier update to `--at`",
        ));
    }
    let seen = if there { written_down(run, update) } else { found.tensors };
    let seen = seen.into_iter().map(|point| (point.name.clone(), point)).collect();
    Ok(Opened { plan, update, optimizers, seen })
}

fn session<'a>(
    plan: &Plan,
    kept: Option<&Checkpoint>,
    checkpoints: &Path,
    listeners: &'a mut [Box<dyn Listener>],
    stop: &'a AtomicBool,
) -> Result<Session<'a>, Failure> {
    let model = planned_model(plan, kept.is_none()).or_call()?;
    let job = Job::new(Runner::new(plan.clone(), model).or_call()?).or_subject()?;
    let session = Session::new(job, checkpoints, listeners, stop).or_subject()?;
    match kept {
        Some(kept) => session.resume(kept).or_subject(),
        None => Ok(session),
    }
}

/// The newest whole checkpoint that is not past an update.
fn newest_until(folder: &Path, at: Option<u64>, voice: &Voice) -> Option<Checkpoint> {
    let mut passed: Vec<(PathBuf, String)> = Vec::new();
    let early = |path: &PathBuf| at.is_none_or(|at| update_of(path).is_some_and(|update| update <= at));
    let mut found = None;
    for path in checkpoint::list(folder).into_iter().filter(early) {
        match checkpoint::load(&path) {
            Ok(whole) => {
                found = Some(whole);
                break;
            }
            Err(error) => passed.push((path, error.to_string())),
        }
    }
    warn_passed(&passed, voice);
    found
}

/// The update that a checkpoint's folder is named after.
fn update_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()
}

fn updates_of(folder: &Path) -> String {
    let mut updates: Vec<u64> = checkpoint::list(folder).iter().filter_map(|path| update_of(path)).collect();
    updates.sort_unstable();
    let words: Vec<String> = updates.iter().map(ToString::to_string).collect();
    if words.is_empty() { "there is none".into() } else { format!("`--at` {}", words.join(", ")) }
}

/// What the run itself saw in an update, where it looked at it.
fn written_down(run: &RunDir, update: u64) -> Vec<TensorPoint> {
    let looks = run.monitor().map(|(looks, _)| looks).unwrap_or_default();
    looks.into_iter().rev().find(|look| look.update == update).map(|look| look.tensors).unwrap_or_default()
}

#[derive(Default)]
struct Found {
    /// The last update that was told
    update: u64,
    tensors: Vec<TensorPoint>,
}

/// Stops a run after an update, and keeps what was seen in it.
struct Until {
    update: u64,
    found: Rc<RefCell<Found>>,
}

impl Listener for Until {
    fn hear(&mut self, event: &Event) -> Result<Wish, Box<dyn miette::Diagnostic + Send + Sync>> {
        let mut found = self.found.borrow_mut();
        match event {
            Event::StepEnd(step) if step.stream.is_empty() => found.update = step.at.update,
            Event::Monitor(look) if look.update == self.update => found.tensors.clone_from(&look.tensors),
            _ => {}
        }
        Ok(if found.update >= self.update { Wish::Stop } else { Wish::Continue })
    }

    fn name(&self) -> &'static str {
        "until"
    }
}
