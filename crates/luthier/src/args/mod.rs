//! What can be typed: every command and every flag, for both programs.

mod common;
mod data;
mod doctor;
mod help;
mod misuse;
mod optimizer;
mod recipe;
mod run;

pub use common::*;
pub use data::*;
pub use doctor::*;
pub use optimizer::*;
pub use recipe::*;
pub use run::*;

use std::ffi::OsString;

use clap::{FromArgMatches, Parser, Subcommand};

use crate::voice::{Failure, Voice};

/// Fine-tune neural networks from one recipe file
#[derive(Debug, Clone, Parser)]
#[command(name = "luthier", bin_name = "luthier", version, arg_required_else_help = true)]
#[command(propagate_version = false, disable_help_subcommand = true)]
#[command(after_help = help::TOP_EXAMPLES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// Flags that every command takes
    #[command(flatten)]
    pub common: Common,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Write a commented recipe to start from
    New(NewArgs),
    /// Resolve a recipe and print the plan; train nothing
    Check(CheckArgs),
    /// Print a recipe with every default written out
    Render(RenderArgs),
    /// Train, or go on with an interrupted run
    Train(TrainArgs),
    /// Measure a run: accuracy, per-class figures, confusion matrix, worst samples
    Eval(EvalArgs),
    /// Answer for pictures, texts or rows: the class and how probable it is, or the numbers
    Predict(PredictArgs),
    /// Say why a recipe or a run does not converge, and prove it
    Doctor(DoctorArgs),
    /// Open a run's optimizer at any update: rates, groups, and what it remembers of every tensor
    Optimizer(OptimizerArgs),
    /// Write a run's weights for other tools
    Export(ExportArgs),
    /// List runs
    Runs(RunsArgs),
    /// Put runs side by side: their settings, results and curves
    Compare(CompareArgs),
    /// Make or check a data set
    #[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
    Data(DataArgs),
    /// Say what a recipe key does, its type and its default
    Explain(ExplainArgs),
    /// Print the recipe's JSON schema, for editors
    Schema(SchemaArgs),
}

impl Command {
    /// The command computes with tensors, so `luthier-engine` runs it.
    pub fn needs_engine(&self) -> bool {
        match self {
            Command::Check(_)
            | Command::Train(_)
            | Command::Eval(_)
            | Command::Predict(_)
            | Command::Optimizer(_)
            | Command::Export(_) => true,
            Command::Doctor(doctor) => !doctor.is_script() && !doctor.is_logs(),
            Command::Compare(compare) => compare.train.is_some(),
            Command::New(_)
            | Command::Render(_)
            | Command::Runs(_)
            | Command::Data(_)
            | Command::Explain(_)
            | Command::Schema(_) => false,
        }
    }
}

/// Reads the command line. `--help` and `--version` print to stdout and come back as [`Failure::quiet`].
///
/// # Errors
/// A wrong call, with what was probably meant, as exit code 2. It is said in the colours and the form (`--json`)
/// that the call asks for, as far as it can be read: so the voice to say it with comes along.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Cli, (Failure, Voice)> {
    let argv: Vec<OsString> = argv.into_iter().collect();
    let voice = Voice::of_words(&argv);
    let matches = help::command(&voice).try_get_matches_from(argv);
    match matches.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches)) {
        Ok(cli) => Ok(cli),
        Err(error) => Err((misuse::failure(&error, &voice), voice)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_derived_command_line_has_no_contradiction() {
        super::Cli::command().debug_assert();
    }
}
