//! The command line: thin. Commands without tensors run here, the others in the engine.

mod commands;

use std::{env, process::ExitCode};

use luthier::{args, engine, launch, voice};

fn main() -> ExitCode {
    let cli = match args::parse(env::args_os()) {
        Ok(cli) => cli,
        Err((failure, voice)) => return voice::run(&voice, |_| Err(failure)),
    };
    voice::run(&voice::Voice::new(&cli.common), |voice| {
        if cli.command.needs_engine() {
            commands::check_recipe(&cli.command)?;
            if let Some(ranks) = launch::wanted(&cli.command)? {
                let engine = engine::find().map_err(voice::Failure::call)?;
                return launch::run(&engine, env::args_os().skip(1), ranks, voice);
            }
            Err(voice::Failure::call(engine::become_engine(env::args_os().skip(1))))
        } else {
            commands::run(&cli, voice)
        }
    })
}
