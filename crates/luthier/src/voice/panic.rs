use std::{
    any::Any,
    env,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::ExitCode,
};

use super::{Failure, Sentence, Voice};

/// Runs a command and turns what becomes of it into words and an exit code. A panic is a bug of Luthier: it is said
/// in one friendly sentence, with exit code 1; with `RUST_BACKTRACE` set, as Rust says it.
pub fn run(voice: &Voice, command: impl FnOnce(&Voice) -> Result<(), Failure>) -> ExitCode {
    if env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0") {
        let voice = voice.clone();
        panic::set_hook(Box::new(move |info| voice.error(&bug(info))));
    }
    // after a panic nothing of the command is used again
    match panic::catch_unwind(AssertUnwindSafe(|| command(voice))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            if let Some(diagnostic) = &failure.diagnostic {
                voice.error(diagnostic.as_ref());
            }
            ExitCode::from(failure.code)
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn bug(info: &PanicHookInfo<'_>) -> Sentence {
    let place = info.location().map(|place| format!(" at `{place}`")).unwrap_or_default();
    Sentence {
        message: format!("Luthier has a bug: {}{place}", words(info.payload()).trim_end()),
        hint: Some(
            "please report this with the command, the recipe and the message; `RUST_BACKTRACE=1` shows how it came to it"
                .to_owned(),
        ),
    }
}

fn words(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(words), _) => words,
        (None, Some(words)) => words,
        (None, None) => "a panic without words",
    }
}
