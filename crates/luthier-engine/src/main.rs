//! The commands that need tensors. `luthier` becomes this program when one of them is called; the words, the flags and
//! the voice are the same.

mod commands;
mod job;
mod opened;
mod ranks;
mod signals;

use std::process::ExitCode;

use luthier::args::{self, Command};
use luthier::voice::{self, Failure, Sentence, Voice};

fn main() -> ExitCode {
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err((failure, voice)) => return voice::run(&voice, |_| Err(failure)),
    };
    voice::run(&Voice::new(&cli.common), |voice| {
        let device = cli.common.device.map(|device| device.to_string());
        if let Some(threads) = cli.common.threads {
            luthier_torch::set_threads(usize::from(threads)).map_err(Failure::call)?;
        }
        match &cli.command {
            Command::Check(args) => commands::check::run(args, device.as_deref(), voice),
            Command::Train(args) => commands::train::run(args, device.as_deref(), voice),
            Command::Doctor(args) => commands::doctor::run(args, device.as_deref(), voice),
            Command::Eval(args) => commands::eval::run(args, device.as_deref(), voice),
            Command::Predict(args) => commands::predict::run(args, device.as_deref(), voice),
            Command::Optimizer(args) => commands::optimizer::run(args, device.as_deref(), voice),
            Command::Export(args) => commands::export::run(args, device.as_deref(), voice),
            Command::Compare(args) => commands::compare::run(args, device.as_deref(), voice),
            _ => Err(Failure::call(Sentence {
                message: "this command is `luthier`'s own, not the engine's".into(),
                hint: Some("call `luthier`, which starts the engine where one is needed".into()),
            })),
        }
    })
}
