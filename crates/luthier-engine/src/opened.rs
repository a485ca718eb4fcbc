//! A run directory, opened to be evaluated, predicted with or exported.

use std::path::{Path, PathBuf};

use luthier::args::WhichCheckpoint;
use luthier::voice::{Blame, Failure, Voice};
use luthier_plan::Plan;
use luthier_torch::parse_device;
use luthier_track::RunDir;
use luthier_train::{Checkpoint, Runner, checkpoint};

/// A run directory with the weights that were asked for.
pub struct Opened {
    pub runner: Runner,
    /// Folder name of the checkpoint
    pub checkpoint: String,
}

/// Opens the run at `path` with one of its checkpoints.
pub fn open(
    path: &Path,
    which: &WhichCheckpoint,
    device: Option<&str>,
    voice: &Voice,
) -> Result<Opened, Failure> {
    let run = RunDir::open(path).or_call()?;
    let mut plan = run.plan().or_call()?;
    if let Some(device) = device {
        plan.device = device.into();
    }
    let device = parse_device(&plan.device).or_call()?;
    plan.base = base(&plan);
    let checkpoint = find(&run, which, voice)?;
    let name = checkpoint.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let runner = Runner::with_weights(plan, &checkpoint.best(), device).or_call()?;
    Ok(Opened { runner, checkpoint: name })
}

/// The folder that data paths start from: where the recipe was, or, on another machine, here.
pub fn base(plan: &Plan) -> String {
    if Path::new(&plan.base).is_dir() { plan.base.clone() } else { ".".into() }
}

fn find(run: &RunDir, which: &WhichCheckpoint, voice: &Voice) -> Result<Checkpoint, Failure> {
    let folder = run.checkpoints();
    if let WhichCheckpoint::At(path) = which {
        return checkpoint::load(path).or_call();
    }
    let (found, passed, missing) = match which {
        WhichCheckpoint::Best => checkpoint::best(&folder).or_call()?,
        _ => {
            let (newest, passed) = checkpoint::newest(&folder).or_call()?;
            (newest, passed, None)
        }
    };
    warn_passed(&passed, voice);
    if let Some(best) = missing {
        voice.warn(&format!(
            "the best evaluation was after update {best}, and no checkpoint was written there: the newest, after update {}, \
             is used (`train.checkpoint.every` decides)",
            found.state.update
        ));
    }
    Ok(found)
}

/// Says which checkpoints could not be used, and why.
pub fn warn_passed(passed: &[(PathBuf, String)], voice: &Voice) {
    for (path, why) in passed {
        voice.warn(&format!("`{}` is passed over: {why}", path.display()));
    }
}
