use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use luthier_plan::{MonitorPoint, Plan};

use crate::atomic::{sync_folder, write_atomic_with};
use crate::{Cut, Metrics, Timing, TrackError, read_metrics, read_monitor, read_timing, write_atomic};

/// The folder of one run. All paths inside are relative to it: copied elsewhere, everything still works.
///
/// | file | what |
/// |---|---|
/// | `recipe.toml` | the recipe as typed |
/// | `plan.json` | everything that was decided before step 1 |
/// | `metrics.jsonl` | what happened, one record a line, no wall times: the same for the same plan |
/// | `timing.jsonl` | the wall times of the same events |
/// | `monitor.jsonl` | a look at every trained tensor, now and then, one a line; empty where the recipe wants none |
/// | `tensorboard/` | an event file |
/// | `checkpoints/` | one folder per checkpoint |
/// | `plots/` | each plot as SVG, PNG and PDF |
/// | `findings.json` | what the doctor said of it at its end |
/// | `report.html` | all of it on one page |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes `<parent>/<name>-<YYYYMMDD-HHMMSS>` (local time); where two runs start in one second, the second one
    /// gets `-2`. Letters of the name that a file system or a shell could trip over become `-`.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create(parent: &Path, name: &str) -> Result<Self, TrackError> {
        fs::create_dir_all(parent).map_err(|source| TrackError::io("create", parent, source))?;
        let stem = format!("{}-{}", slug(name), jiff::Zoned::now().strftime("%Y%m%d-%H%M%S"));
        for attempt in 1.. {
            let path = match attempt {
                1 => parent.join(&stem),
                n => parent.join(format!("{stem}-{n}")),
            };
            match fs::create_dir(&path) {
                Ok(()) => return RunDir { path }.or_nothing(RunDir::furnish),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(TrackError::io("create", &path, source)),
            }
        }
        unreachable!("one of 2⁶⁴ names is free")
    }

    /// Makes exactly that folder, parents included. An empty one that is there is taken.
    ///
    /// # Errors
    /// There is something in it, or it cannot be made.
    pub fn create_at(path: &Path) -> Result<Self, TrackError> {
        fs::create_dir_all(path).map_err(|source| match source.kind() {
            // the last part of the path is a file
            io::ErrorKind::AlreadyExists => {
                TrackError::io("create", path, io::ErrorKind::NotADirectory.into())
            }
            _ => TrackError::io("create", path, source),
        })?;
        let mut entries = fs::read_dir(path).map_err(|source| TrackError::io("read", path, source))?;
        if entries.next().is_some() {
            return Err(TrackError::NotEmpty(path.to_owned()));
        }
        RunDir { path: path.to_owned() }.or_nothing(RunDir::furnish)
    }

    /// Keeps the recipe as the user typed it, and the plan: from here on it is a run that can be gone on with. The folder
    /// is removed where that fails, for half of the two would be neither a run nor an empty folder.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn begin(self, recipe: &str, plan: &Plan) -> Result<Self, TrackError> {
        self.or_nothing(|run| run.write_recipe(recipe).and_then(|()| run.write_plan(plan)))
    }

    fn or_nothing(self, fill: impl FnOnce(&Self) -> Result<(), TrackError>) -> Result<Self, TrackError> {
        match fill(&self) {
            Ok(()) => Ok(self),
            // somebody else was quicker: what is there is theirs
            Err(error) if error.is_there_already() => Err(error),
            Err(error) => {
                // what cannot be removed either is not worth more than the first error
                let _ = fs::remove_dir_all(&self.path);
                Err(error.before_the_run())
            }
        }
    }

    /// Opens a run directory, made by whichever version of the run: finished, interrupted or still running.
    ///
    /// # Errors
    /// It is not a run directory, or its plan is torn.
    pub fn open(path: &Path) -> Result<Self, TrackError> {
        if !path.is_dir() {
            let kind = if path.exists() { io::ErrorKind::NotADirectory } else { io::ErrorKind::NotFound };
            return Err(TrackError::io("open", path, kind.into()));
        }
        let run = RunDir { path: path.to_owned() };
        for (file, missing) in [(run.recipe_path(), "recipe.toml"), (run.plan_path(), "plan.json")] {
            if !file.is_file() {
                return Err(TrackError::NotARun { path: path.to_owned(), missing });
            }
        }
        run.plan()?;
        Ok(run)
    }

    fn furnish(&self) -> Result<(), TrackError> {
        for folder in [self.tensorboard(), self.checkpoints(), self.plots()] {
            fs::create_dir(&folder).map_err(|source| TrackError::io("create", &folder, source))?;
        }
        sync_folder(&self.path)
    }

    /// Keeps the recipe as the user typed it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_recipe(&self, text: &str) -> Result<(), TrackError> {
        write_atomic(&self.recipe_path(), text.as_bytes())
    }

    /// Keeps the plan.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_plan(&self, plan: &Plan) -> Result<(), TrackError> {
        // it names every sample: never whole in memory
        write_atomic_with(&self.plan_path(), |file| Ok(serde_json::to_writer_pretty(file, plan)?))
    }

    /// Reads the recipe as the user typed it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn recipe(&self) -> Result<String, TrackError> {
        let path = self.recipe_path();
        let bytes = fs::read(&path).map_err(|source| TrackError::io("read", &path, source))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads the plan.
    ///
    /// # Errors
    /// The file cannot be read, or is torn.
    pub fn plan(&self) -> Result<Plan, TrackError> {
        let path = self.plan_path();
        let bytes = fs::read(&path).map_err(|source| TrackError::io("read", &path, source))?;
        serde_json::from_slice(&bytes).map_err(|error| TrackError::TornPlan { path, why: error.to_string() })
    }

    /// Reads what happened so far; nothing did where there is no file yet.
    ///
    /// # Errors
    /// The file cannot be read, or a line in the middle of it is garbled.
    pub fn metrics(&self) -> Result<Metrics, TrackError> {
        let path = self.metrics_path();
        if path.exists() { read_metrics(&path) } else { Ok(Metrics::default()) }
    }

    /// Reads how long it took.
    ///
    /// # Errors
    /// The file cannot be read, or a line in the middle of it is garbled.
    pub fn timing(&self) -> Result<Timing, TrackError> {
        let path = self.timing_path();
        if path.exists() { read_timing(&path) } else { Ok(Timing::default()) }
    }

    /// Reads the looks at every trained tensor, and says where the file was cut; none where there is no file.
    ///
    /// # Errors
    /// The file cannot be read, or a line in the middle of it is garbled.
    pub fn monitor(&self) -> Result<(Vec<MonitorPoint>, Option<Cut>), TrackError> {
        let path = self.monitor_path();
        if path.exists() { read_monitor(&path) } else { Ok((Vec::new(), None)) }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Last part of the path: what a user calls the run.
    pub fn name(&self) -> String {
        let whole = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned()
    }

    /// `recipe.toml`
    pub fn recipe_path(&self) -> PathBuf {
        self.path.join("recipe.toml")
    }

    /// `plan.json`
    pub fn plan_path(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// `metrics.jsonl`
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `timing.jsonl`
    pub fn timing_path(&self) -> PathBuf {
        self.path.join("timing.jsonl")
    }

    /// `monitor.jsonl`
    pub fn monitor_path(&self) -> PathBuf {
        self.path.join("monitor.jsonl")
    }

    /// `findings.json`
    pub fn findings_path(&self) -> PathBuf {
        self.path.join("findings.json")
    }

    /// `report.html`
    pub fn report_path(&self) -> PathBuf {
        self.path.join("report.html")
    }

    /// `tensorboard/`
    pub fn tensorboard(&self) -> PathBuf {
        self.path.join("tensorboard")
    }

    /// `checkpoints/`
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// `plots/`
    pub fn plots(&self) -> PathBuf {
        self.path.join("plots")
    }
}

/// A name that is one harmless path component: letters and digits of any script, `.`, `_`, `-`.
fn slug(name: &str) -> String {
    let harmless = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let slug: String =
        name.chars().map(|letter| if harmless(letter) { letter } else { '-' }).take(60).collect();
    let slug = slug.trim_matches(['.', '-']);
    if slug.is_empty() { "run".to_owned() } else { slug.to_owned() }
}
