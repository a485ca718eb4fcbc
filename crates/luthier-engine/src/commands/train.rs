//! `luthier train`: begins a run, or goes on with one.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use luthier::args::{TrainArgs, TrainJob};
use luthier::launch;
use luthier::progress;
use luthier::voice::{Blame, Failure, Sentence, Voice};
use luthier_doctor::{Facts, RunFacts, Severity, Status, Verdict, judge};
use luthier_plan::{Listener, Outcome, Plan, RunEnd, World, streams};
use luthier_recipe::Recipe;
use luthier_track::{MetricsStream, RunDir, TensorBoard};
use luthier_train::{Checkpoint, Job, Ranks, Runner, Session, TrainError, checkpoint};

use crate::{job, opened, ranks, signals};

pub fn run(args: &TrainArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    if let Some(count) = launch::wanted(&luthier::args::Command::Train(args.clone()))? {
        let engine = std::env::current_exe().map_err(|error| {
            let message = format!("cannot find out where this program is: {error}");
            Failure::subject(Sentence { message, hint: None })
        })?;
        return launch::run(&engine, std::env::args_os().skip(1), count, voice);
    }
    let stop = signals::stop_flag()?;
    ranks::obey(&stop);
    let world = ranks::world()?;
    let device = ranks::device_of(world.as_ref(), device);
    let (device, voice) = (device.as_deref(), &ranks::voice_of(world.as_ref(), voice));
    let finished = match args.job() {
        Some(TrainJob::Begin { recipe }) => {
            let settings = luthier_recipe::load(&recipe, &args.overrides.set).or_call()?.recipe.distributed;
            let ranks = ranks::join(world, &settings)?;
            begin(&recipe, &args.overrides.set, args.out.as_deref(), device, ranks, voice, &stop)?
        }
        Some(TrainJob::ResumeNewest { recipe }) => {
            let loaded = luthier_recipe::load(&recipe, &args.overrides.set).or_call()?;
            let run = newest(&loaded.recipe.name)?;
            resume(&run, Some(&loaded.recipe), world, device, voice, &stop)?
        }
        Some(TrainJob::Resume { run }) => {
            let recipe = match &args.recipe {
                Some(path) => Some(luthier_recipe::load(path, &args.overrides.set).or_call()?.recipe),
                None => None,
            };
            resume(&run, recipe.as_ref(), world, device, voice, &stop)?
        }
        None => {
            return Err(Failure::misuse(
                "a recipe or a run to go on with is missing",
                "`luthier train recipe.toml`, or `luthier train --resume runs/NAME`",
            ));
        }
    };
    match finished {
        Some(finished) => conclude(finished, voice),
        None => Ok(()),
    }
}

/// A run that was made, and how it ended.
pub struct Finished {
    pub run: RunDir,
    pub end: Result<RunEnd, TrainError>,
}

/// Begins a run of a recipe in a new run directory; `None` on a rank that has none to write.
pub fn begin(
    recipe: &Path,
    sets: &[String],
    out: Option<&Path>,
    device: Option<&str>,
    ranks: Option<Rc<Ranks>>,
    voice: &Voice,
    stop: &std::sync::atomic::AtomicBool,
) -> Result<Option<Finished>, Failure> {
    let size = ranks.as_ref().map_or(1, |ranks| ranks.world.size);
    let (loaded, prepared) =
        ranks::in_turn(ranks.as_deref(), || job::prepare_for(recipe, sets, device, size, voice))?;
    ranks::compare(ranks.as_deref(), &prepared.plan, None)?;
    if let Some(ranks) = ranks.as_ref().filter(|ranks| !ranks.world.is_first()) {
        let runner = Runner::new(prepared.plan, prepared.model).or_call()?;
        return ranks::go_along(runner, None, Rc::clone(ranks), stop).map(|()| None);
    }
    let run = match out {
        Some(path) => RunDir::create_at(path).or_call()?,
        None => RunDir::create(Path::new("runs"), &loaded.recipe.name).or_call()?,
    };
    let run = run.begin(&loaded.text, &prepared.plan).or_call()?;
    for note in &prepared.plan.notes {
        voice.warn(note);
    }
    voice.status("training", &format!("{} in {}", loaded.recipe.name, run.path().display()));
    let plan = prepared.plan.clone();
    let runner = Runner::new(prepared.plan, prepared.model).or_call()?;
    go(run, plan, runner, None, ranks, voice, stop).map(Some)
}

fn resume(
    path: &Path,
    recipe: Option<&Recipe>,
    world: Option<World>,
    device: Option<&str>,
    voice: &Voice,
    stop: &std::sync::atomic::AtomicBool,
) -> Result<Option<Finished>, Failure> {
    let run = RunDir::open(path).or_call()?;
    let mut plan = run.plan().or_call()?;
    let size = world.as_ref().map_or(1, |world| u64::from(world.size));
    if size != plan.ranks {
        return Err(ranks::other_ranks(plan.ranks, size, path));
    }
    if let Some(device) = device.filter(|_| world.is_some()) {
        plan.device = device.to_owned();
    }
    if let Some((then, now)) = recipe.and_then(|recipe| streams::changed(&plan, recipe)) {
        return Err(changed(&then, &now, path));
    }
    let checkpoint = match checkpoint::newest(&run.checkpoints()) {
        Ok((checkpoint, passed)) => {
            opened::warn_passed(&passed, voice);
            voice.status("resuming", &format!("{} at update {}", path.display(), checkpoint.state.update));
            Some(checkpoint)
        }
        // killed before the first checkpoint: the plan and the seed are all there is, and all it takes
        Err(TrainError::NoCheckpoint(_)) => {
            voice.status(
                "restarting",
                &format!("{}: it was stopped before its first checkpoint", path.display()),
            );
            None
        }
        Err(error) => return Err(Failure::subject(error)),
    };
    let ranks = ranks::join(world, &plan.recipe.distributed)?;
    let name = checkpoint.as_ref().and_then(|checkpoint| checkpoint.path.file_name());
    ranks::compare(ranks.as_deref(), &plan, name.map(|name| name.to_string_lossy()).as_deref())?;
    let model = luthier_train::planned_model(&plan, checkpoint.is_none()).or_call()?;
    let runner = Runner::new(plan.clone(), model).or_call()?;
    match ranks {
        Some(ranks) if !ranks.world.is_first() => {
            ranks::go_along(runner, checkpoint, ranks, stop).map(|()| None)
        }
        ranks => go(run, plan, runner, checkpoint, ranks, voice, stop).map(Some),
    }
}

fn go(
    run: RunDir,
    plan: Plan,
    runner: Runner,
    checkpoint: Option<Checkpoint>,
    ranks: Option<Rc<Ranks>>,
    voice: &Voice,
    stop: &std::sync::atomic::AtomicBool,
) -> Result<Finished, Failure> {
    let job = Job::new(runner).or_subject()?;
    let job = match ranks {
        Some(ranks) => job.among(ranks).map_err(ranks::failure)?,
        None => job,
    };
    let state = |name: &str| {
        let kept = checkpoint.as_ref().and_then(|checkpoint| checkpoint.state.listeners.get(name));
        kept.cloned().unwrap_or(serde_json::Value::Null)
    };
    let best = checkpoint.as_ref().and_then(|checkpoint| checkpoint.state.best).map(|best| best.metric);
    let groups: Vec<&str> = plan.groups.iter().map(|group| group.name.as_str()).collect();
    let metrics = MetricsStream::resume(&run, &state("metrics")).or_subject()?;
    let board = TensorBoard::resume(&run, &groups, &state("tensorboard")).or_subject()?;
    let mut listeners: Vec<Box<dyn Listener>> =
        vec![Box::new(metrics), Box::new(board), progress::listener(&plan, best, voice)];
    let session = Session::new(job, &run.checkpoints(), &mut listeners, stop).or_subject()?;
    let session = match &checkpoint {
        Some(checkpoint) => session.resume(checkpoint).or_subject()?,
        None => session,
    };
    let end = session.run();
    drop(listeners);
    Ok(Finished { run, end })
}

/// Draws the plots and the report, and says how it went.
pub fn conclude(finished: Finished, voice: &Voice) -> Result<(), Failure> {
    let drawn = draw(&finished.run);
    let end = match finished.end {
        Ok(end) => end,
        Err(error) => {
            // the run's own error comes first, whatever became of the report
            if let Err(failure) = drawn {
                let why = failure.diagnostic.map(|diagnostic| diagnostic.to_string()).unwrap_or_default();
                voice.warn(&format!("the report was not written: {why}"));
            }
            return Err(ranks::failure(error));
        }
    };
    let verdict = drawn?;
    if end.outcome == Outcome::Interrupted {
        voice.hint(&format!("go on with `luthier train --resume {}`", finished.run.path().display()));
        return Err(Failure::quiet(130));
    }
    for finding in verdict.findings.iter().filter(|finding| finding.severity > Severity::Info) {
        let word = finding.evidence.first().unwrap_or(&finding.explanation);
        voice.warn(&format!("{} {}: {word}", finding.code, finding.name));
    }
    if verdict.status != Status::Healthy {
        voice.hint(&format!("`luthier doctor {}` says more", finished.run.path().display()));
    }
    voice.status("report", &finished.run.report_path().display().to_string());
    Ok(())
}

/// Writes `plots/`, `findings.json` and `report.html`; says what the doctor found in the plan and in what happened.
pub fn draw(run: &RunDir) -> Result<Verdict, Failure> {
    let (plan, facts) = (run.plan().or_subject()?, RunFacts::read(run).or_subject()?);
    let verdict = judge("run", &Facts { plan: Some(&plan), run: Some(&facts), ..Facts::default() });
    let json = serde_json::to_vec_pretty(&verdict).map_err(|error| {
        Failure::subject(Sentence { message: format!("cannot write the findings: {error}"), hint: None })
    })?;
    luthier_track::write_atomic(&run.findings_path(), &json).or_subject()?;
    luthier_track::plot_run(run).or_subject()?;
    luthier_track::write_report(run, &environment()).or_subject()?;
    Ok(verdict)
}

/// What a reader of the report may want to know about the machine.
fn environment() -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("Luthier".into(), env!("CARGO_PKG_VERSION").into()),
        ("libtorch".into(), luthier_torch::VERSION.into()),
        ("system".into(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("cores".into(), cores.to_string()),
        ("threads".into(), luthier_torch::threads().to_string()),
    ]
}

/// The newest run directory of a recipe's name below `runs/`.
fn newest(name: &str) -> Result<PathBuf, Failure> {
    let prefix = format!("{name}-");
    let mut found: Vec<PathBuf> = std::fs::read_dir("runs")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&prefix)))
        .filter(|path| RunDir::open(path).is_ok())
        .collect();
    found.sort_by_key(|path| std::fs::metadata(path.join("plan.json")).and_then(|meta| meta.modified()).ok());
    found.pop().ok_or_else(|| {
        Failure::call(Sentence {
            message: format!("there is no run of `{name}` below `runs`"),
            hint: Some("give the run directory: `luthier train --resume DIR`".into()),
        })
    })
}

/// A recipe that is not the one the run was begun with.
fn changed(then: &Recipe, now: &Recipe, path: &Path) -> Failure {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not given".into());
    let shown: Vec<String> = luthier_track::differences(&[then, now])
        .iter()
        .take(3)
        .map(|found| {
            format!("`{}` was {} and is {}", found.key, value(&found.values[0]), value(&found.values[1]))
        })
        .collect();
    Failure::misuse(
        format!("the recipe has changed since `{}` was begun: {}", path.display(), shown.join(", ")),
        "a run goes on as it was planned: begin a new one, or take the change back",
    )
}
