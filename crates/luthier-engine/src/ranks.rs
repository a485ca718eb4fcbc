//! A run that is one of several processes.

use std::io::BufRead;
use std::path::Path;
use std::process::exit;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use luthier::launch::{LEFT, STOP, launched};
use luthier::voice::{Blame, Failure, Sentence, Voice};
use luthier_plan::{Outcome, Plan, RunEnd, World};
use luthier_recipe::Distributed;
use luthier_train::{Checkpoint, Job, Ranks, Runner, Session, TrainError, program};

/// The other processes of this run; `None` for one that is alone.
pub fn join(world: Option<World>, settings: &Distributed) -> Result<Option<Rc<Ranks>>, Failure> {
    let ranks = world.map(|world| Ranks::join(world, settings)).transpose();
    ranks.map(|ranks| ranks.map(Rc::new)).map_err(failure)
}

/// Which process this is, by the environment.
pub fn world() -> Result<Option<World>, Failure> {
    World::of(|name| std::env::var(name).ok()).or_call()
}

/// The voice of a rank: all but the first say only what went wrong.
pub fn voice_of(world: Option<&World>, voice: &Voice) -> Voice {
    let other = world.is_some_and(|world| !world.is_first());
    let mut own = voice.clone();
    own.quiet |= other;
    own
}

/// The GPU of a rank, where there is one each.
pub fn device_of(world: Option<&World>, device: Option<&str>) -> Option<String> {
    match (world, device) {
        (Some(world), Some("cuda:0")) => Some(format!("cuda:{}", world.local_rank)),
        _ => device.map(str::to_owned),
    }
}

/// Does `work` on rank 0 first, where there are others.
pub fn in_turn<T>(ranks: Option<&Ranks>, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    match ranks {
        None => work(),
        Some(ranks) => ranks.in_turn(work).map_err(|error| error.unwrap_or_else(|| Failure::quiet(LEFT))),
    }
}

/// Refuses to begin where ranks differ.
pub fn compare(ranks: Option<&Ranks>, plan: &Plan, checkpoint: Option<&str>) -> Result<(), Failure> {
    let Some(ranks) = ranks else { return Ok(()) };
    ranks.compare(plan, checkpoint, &program()).map_err(failure_on(ranks))
}

/// The error of a rank. Below [`luthier::launch`], what is another rank's to say is left to it.
pub fn failure(error: TrainError) -> Failure {
    if launched() && error.is_of_another_rank() { Failure::quiet(LEFT) } else { Failure::subject(error) }
}

/// As [`failure`]; and what all ranks come to is rank 0's to say.
pub fn failure_on(ranks: &Ranks) -> impl Fn(TrainError) -> Failure {
    let other = !ranks.world.is_first();
    move |error| {
        let common = matches!(
            error,
            TrainError::OtherRun { .. } | TrainError::Diverged { .. } | TrainError::Drifted { .. }
        );
        if launched() && other && common { Failure::quiet(LEFT) } else { failure(error) }
    }
}

/// Listens to the launcher: a line asks to stop, and its end is the run's.
pub fn obey(stop: &Arc<AtomicBool>) {
    if !launched() {
        return;
    }
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                Ok(line) if line == STOP => stop.store(true, Ordering::SeqCst),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        exit(i32::from(LEFT));
    });
}

/// A rank that logs nothing and writes nothing.
pub fn go_along(
    runner: Runner,
    checkpoint: Option<Checkpoint>,
    ranks: Rc<Ranks>,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let end = along(runner, checkpoint.as_ref(), Rc::clone(&ranks), stop);
    match end.map_err(failure_on(&ranks))?.outcome {
        Outcome::Interrupted => Err(Failure::quiet(130)),
        _ => Ok(()),
    }
}

fn along(
    runner: Runner,
    checkpoint: Option<&Checkpoint>,
    ranks: Rc<Ranks>,
    stop: &AtomicBool,
) -> Result<RunEnd, TrainError> {
    let job = Job::new(runner)?.among(ranks)?;
    let session = Session::new(job, Path::new(""), &mut [], stop)?.unsaved();
    match checkpoint {
        Some(checkpoint) => session.resume(checkpoint)?.run(),
        None => session.run(),
    }
}

/// A run that was begun by another number of processes.
pub fn other_ranks(then: u64, now: u64, path: &Path) -> Failure {
    let count = |ranks: u64| luthier::text::count(ranks, "rank", "ranks");
    let path = path.display();
    let flag = if then > 1 { format!(" --nproc-per-node {then}") } else { String::new() };
    Failure::call(Sentence {
        message: format!("`{path}` was begun on {}, and cannot go on with {}", count(then), count(now)),
        hint: Some(format!(
            "batches and updates would be others: go on with `luthier train --resume {path}{flag}`"
        )),
    })
}
