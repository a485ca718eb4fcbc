//! The commands without tensors, one file each.

mod data;
mod doctor;
mod explain;
mod new;
mod render;
mod runs;

use luthier::{
    args::{Cli, Command, DataCommand, Overrides, TrainJob},
    compare,
    voice::{Blame, Failure, Voice},
};
use luthier_recipe::Loaded;
use std::path::Path;

/// Runs the command.
pub fn run(cli: &Cli, voice: &Voice) -> Result<(), Failure> {
    match &cli.command {
        Command::New(args) => new::run(args, voice),
        Command::Render(args) => render::render(args, voice),
        Command::Schema(_) => render::schema(),
        Command::Explain(args) => explain::run(args, voice),
        Command::Runs(args) => runs::run(args, voice),
        Command::Compare(args) => compare::run(&args.runs, args.out.as_deref(), voice),
        Command::Data(args) => match &args.command {
            DataCommand::Render(args) => data::render(args, cli.common.threads, voice),
            DataCommand::Scan(args) => data::scan(args, voice),
        },
        Command::Doctor(args) => doctor::run(args, voice),
        Command::Check(_)
        | Command::Train(_)
        | Command::Eval(_)
        | Command::Predict(_)
        | Command::Optimizer(_)
        | Command::Export(_) => Err(Failure::misuse("this command is `luthier-engine`'s", "")),
    }
}

/// Reads the recipe of a command that the engine will run, only to say at once, in milliseconds and without
/// libtorch, what is wrong with it.
pub fn check_recipe(command: &Command) -> Result<(), Failure> {
    let (path, overrides) = match command {
        Command::Check(args) => (args.recipe.clone(), &args.overrides),
        Command::Train(args) => match args.job() {
            Some(TrainJob::Begin { recipe }) => (recipe, &args.overrides),
            _ => return Ok(()),
        },
        Command::Doctor(args) if !args.subject.is_dir() => (args.subject.clone(), &args.overrides),
        Command::Compare(args) => match &args.train {
            Some(recipe) => (recipe.clone(), &args.overrides),
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    luthier_recipe::load(&path, &overrides.set).or_call().map(drop)
}

/// Reads a recipe, and says what its overrides made moot.
fn load(path: &Path, overrides: &Overrides, voice: &Voice) -> Result<Loaded, Failure> {
    let loaded = luthier_recipe::load(path, &overrides.set).or_call()?;
    for note in &loaded.notes {
        voice.warn(note);
    }
    Ok(loaded)
}
