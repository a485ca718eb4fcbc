use std::{ffi::OsStr, fmt, path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};

use super::Overrides;

/// `luthier train`
#[derive(Debug, Clone, Args)]
#[command(override_usage = "\
luthier train <RECIPE> [OPTIONS]
       luthier train <RECIPE> --resume
       luthier train --resume <RUN>")]
#[command(after_help = "\
Examples:
  luthier train recipe.toml
  luthier train recipe.toml --set optim.lr=3e-4 --out runs/low-lr
  luthier train recipe.toml --resume      go on with the newest run of this recipe
  luthier train --resume runs/low-lr      go on with that run

Ctrl-C saves a checkpoint and leaves; a second one leaves at once.")]
pub struct TrainArgs {
    /// The recipe
    #[arg(value_name = "RECIPE", required_unless_present = "resume")]
    pub recipe: Option<PathBuf>,
    /// Run directory to make; a new one below `runs/` if not given
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run: the one at RUN, or the recipe's newest
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    pub resume: Option<Option<PathBuf>>,
    /// Changes to the recipe
    #[command(flatten)]
    pub overrides: Overrides,
}

/// What `luthier train` was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrainJob {
    /// Begin a run of this recipe
    Begin {
        /// The recipe
        recipe: PathBuf,
    },
    /// Go on with the newest run of this recipe
    ResumeNewest {
        /// The recipe
        recipe: PathBuf,
    },
    /// Go on with this run
    Resume {
        /// The run directory
        run: PathBuf,
    },
}

impl TrainArgs {
    /// What was asked for. `--resume FILE.toml` means the recipe: a value after `--resume` is a run directory, and
    /// nobody's run directory is a `.toml` file. `None` when neither a recipe nor a run is named, which the parser
    /// does let through for a bare `--resume`.
    pub fn job(&self) -> Option<TrainJob> {
        match (&self.resume, &self.recipe) {
            (None, recipe) => recipe.clone().map(|recipe| TrainJob::Begin { recipe }),
            (Some(None), recipe) => recipe.clone().map(|recipe| TrainJob::ResumeNewest { recipe }),
            (Some(Some(path)), None) if path.extension() == Some(OsStr::new("toml")) && !path.is_dir() => {
                Some(TrainJob::ResumeNewest { recipe: path.clone() })
            }
            (Some(Some(path)), _) => Some(TrainJob::Resume { run: path.clone() }),
        }
    }
}

/// `luthier eval`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier eval runs/hotdog
  luthier eval runs/hotdog --split train --checkpoint last --json
  luthier eval runs/hotdog --probe knn    what the features before the head are worth")]
pub struct EvalArgs {
    /// The run directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Split to measure: `valid`, `test` or `train`; `valid` if there is one
    #[arg(long, value_name = "SPLIT")]
    pub split: Option<String>,
    /// Judge the features before the head instead, by the training split's: `linear`, a classifier fitted on them, or
    /// `knn`, the votes of neighbours
    #[arg(long, value_name = "PROBE", hide_possible_values = true)]
    pub probe: Option<FeatureProbe>,
    /// Weights to use: `best`, `last` or a checkpoint folder
    #[arg(long, value_name = "CHECKPOINT", default_value_t)]
    pub checkpoint: WhichCheckpoint,
}

/// What judges features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FeatureProbe {
    /// Multinomial logistic regression
    Linear,
    /// Weighted nearest neighbours
    Knn,
}

/// `luthier predict`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier predict runs/hotdog lunch.jpg
  luthier predict runs/hotdog photos/ --json
  luthier predict runs/rent new-flats.csv
  luthier predict runs/spam < messages.txt
  luthier predict runs/spam --text 'You have won a prize'")]
pub struct PredictArgs {
    /// The run directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Pictures, or folders of pictures; tables with the columns of the training table; for texts, files with a text a line, `-` for the standard input (also if none
    /// is given)
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// A text to classify; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub text: Vec<String>,
    /// Classes to list per input, most probable first
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub top: u16,
    /// Weights to use: `best`, `last` or a checkpoint folder
    #[arg(long, value_name = "CHECKPOINT", default_value_t)]
    pub checkpoint: WhichCheckpoint,
}

/// `luthier export`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier export runs/hotdog --to hf hotdog-model
  luthier export runs/hotdog --to safetensors hotdog-model --checkpoint last
  luthier export runs/lora --to peft adapter
  luthier export runs/lora --to hf --merge merged-model")]
pub struct ExportArgs {
    /// The run directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Format: `safetensors` (the architecture's own names), `hf` (a folder for `transformers`) or `peft` (what LoRA has
    /// learned, for `peft`)
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub to: ExportFormat,
    /// Folder to write
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Weights to use: `best`, `last` or a checkpoint folder
    #[arg(long, value_name = "CHECKPOINT", default_value_t)]
    pub checkpoint: WhichCheckpoint,
    /// Add what LoRA has learned to the weights of its layers
    #[arg(long)]
    pub merge: bool,
    /// Replace what an earlier export wrote
    #[arg(long)]
    pub force: bool,
}

/// A format that weights are exported to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// `model.safetensors` with the names of the architecture's package
    Safetensors,
    /// A folder that `transformers` loads
    Hf,
    /// `adapter_config.json` and `adapter_model.safetensors`
    Peft,
}

/// Which weights of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WhichCheckpoint {
    /// Those of the best validation metric
    #[default]
    Best,
    /// The newest
    Last,
    /// Those in this checkpoint folder
    At(PathBuf),
}

impl fmt::Display for WhichCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhichCheckpoint::Best => f.write_str("best"),
            WhichCheckpoint::Last => f.write_str("last"),
            WhichCheckpoint::At(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for WhichCheckpoint {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "best" => WhichCheckpoint::Best,
            "last" => WhichCheckpoint::Last,
            path => WhichCheckpoint::At(PathBuf::from(path)),
        })
    }
}
/// `luthier runs`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier runs
  luthier runs elsewhere/runs --json")]
pub struct RunsArgs {
    /// Folder of run directories
    #[arg(value_name = "DIR", default_value = "runs")]
    pub dir: PathBuf,
}

/// `luthier compare`
#[derive(Debug, Clone, Args)]
#[command(override_usage = "\
luthier compare <RUN> <RUN>... [OPTIONS]
       luthier compare --train <RECIPE> --vary <KEY=VALUE>... [OPTIONS]")]
#[command(after_help = "\
Examples:
  luthier compare runs/hotdog runs/low-lr
  luthier compare --train recipe.toml --vary model.weights=none

The second trains the recipe as it is and once per `--vary`, with the same seed and the same data order, and then
compares the runs: what the pretrained weights are worth, as one command.")]
pub struct CompareArgs {
    /// Run directories, at least two
    #[arg(value_name = "RUN", required_unless_present = "train", conflicts_with = "train", num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// Train this recipe, as it is and once per `--vary`, and compare the runs
    #[arg(long, value_name = "RECIPE", requires = "vary")]
    pub train: Option<PathBuf>,
    /// A change to the recipe that is one run of its own, several keys with `;` between them; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "train")]
    pub vary: Vec<String>,
    /// Picture of all curves to write: FILE.svg, FILE.png and FILE.pdf
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Changes to the recipe, for all its runs
    #[command(flatten)]
    pub overrides: Overrides,
}
