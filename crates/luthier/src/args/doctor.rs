use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum};

use super::Overrides;

/// `luthier doctor`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier doctor recipe.toml                  what is wrong with it, before anything is trained
  luthier doctor recipe.toml --prove          and does the cure help: short trials, with and without it
  luthier doctor recipe.toml --prove --apply  and write it into the recipe
  luthier doctor runs/low-lr                  why did this run not converge?
  luthier doctor recipe.toml --probe lr       only the learning rate finder, with its picture
  luthier doctor logs/                        what TensorBoard's curves of some other run show
  luthier doctor train.py                     what a training script in PyTorch does wrong, as it is written

Exit code 0: healthy or suspect; 1: sick; 2: the call is wrong.")]
pub struct DoctorArgs {
    /// A recipe, a run directory, a folder of TensorBoard's event files, or a script in Python
    #[arg(value_name = "SUBJECT")]
    pub subject: PathBuf,
    /// Changes to the recipe
    #[command(flatten)]
    pub overrides: Overrides,
    /// Look at the plan and at what a run wrote down, not at the live model
    #[arg(long = "static", conflicts_with_all = ["prove", "probe"])]
    pub plan_only: bool,
    /// Try the cures: the same short run with and without each, on several seeds
    #[arg(long, conflicts_with = "probe")]
    pub prove: bool,
    /// Write the cures into the recipe: all that were proved, or without `--prove` the first
    #[arg(long, conflicts_with = "probe")]
    pub apply: bool,
    /// One measurement by itself: `lr`, `batch` or `overfit`
    #[arg(long, value_enum, value_name = "WHICH", hide_possible_values = true)]
    pub probe: Option<ProbeKind>,
    /// Where the picture of `--probe` goes, without its ending; beside the recipe if not given
    #[arg(long, value_name = "PATH", requires = "probe")]
    pub picture: Option<PathBuf>,
    /// Time that may be spent, as `90s` or `5m`
    #[arg(long, value_name = "TIME", default_value = "120s")]
    pub budget: Budget,
}

impl DoctorArgs {
    /// The subject is a script: it is read, and nothing of it is run.
    pub fn is_script(&self) -> bool {
        self.subject.extension().is_some_and(|end| end == "py") && !self.subject.is_dir()
    }

    /// The subject is a folder of event files and no run of ours.
    pub fn is_logs(&self) -> bool {
        let ours = ["plan.json", "metrics.jsonl", "recipe.toml"];
        self.subject.is_dir()
            && !ours.iter().any(|name| self.subject.join(name).exists())
            && luthier_track::has_events(&self.subject)
    }
}

/// One measurement by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProbeKind {
    /// Loss over the learning rate
    Lr,
    /// Speed and memory over the batch size
    Batch,
    /// One batch learned by heart
    Overfit,
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(pub Duration);

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = match text.strip_suffix('m') {
            Some(minutes) => (minutes, 60.0),
            None => (text.strip_suffix('s').unwrap_or(text), 1.0),
        };
        let seconds = number.parse::<f64>().ok().map(|number| number * unit);
        // a day is more than anybody waits for, and less than what a Duration cannot hold
        match seconds.filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0) {
            Some(seconds) => Ok(Budget(Duration::from_secs_f64(seconds))),
            None => Err("use seconds or minutes, as `90s` or `5m`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_minutes() {
        for (text, seconds) in [("90s", 90.0), ("90", 90.0), ("1.5m", 90.0)] {
            assert_eq!(text.parse::<Budget>(), Ok(Budget(Duration::from_secs_f64(seconds))), "{text}");
        }
        for text in ["", "s", "-3s", "0s", "soon", "nan", "1e99m"] {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }
}
