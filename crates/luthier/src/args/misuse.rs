use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::voice::{Failure, Sentence, Voice, print};

/// What the parser found wrong, in our voice. Help and version are no errors: they are printed here.
pub fn failure(error: &clap::Error, voice: &Voice) -> Failure {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            match print(&page(error, voice.stdout_look().color)) {
                Ok(()) => Failure::quiet(0),
                Err(failure) => failure,
            }
        }
        // nothing was typed: the page is the answer, and still a script that forgot the command fails
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if !voice.json => {
            voice.page(&page(error, voice.look.color));
            Failure::quiet(2)
        }
        _ => {
            let (message, hint) = sentence(error);
            Failure::call(Sentence { message, hint })
        }
    }
}

fn page(error: &clap::Error, color: bool) -> String {
    let page = error.render();
    if color { page.ansi().to_string() } else { page.to_string() }
}

fn sentence(error: &clap::Error) -> (String, Option<String>) {
    let word = |kind| error.get(kind).map(ContextValue::to_string).unwrap_or_default();
    let argument = bare(&word(ContextKind::InvalidArg));
    let value = word(ContextKind::InvalidValue);
    let usage = help_call(&word(ContextKind::Usage));
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let typed = word(ContextKind::InvalidSubcommand);
            (
                format!("there is no command `{typed}`"),
                meant(error, ContextKind::SuggestedSubcommand).or(usage),
            )
        }
        ErrorKind::UnknownArgument => {
            (format!("`{argument}` is not known here"), meant(error, ContextKind::SuggestedArg).or(usage))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = list(error.get(ContextKind::InvalidArg));
            (format!("{missing} is missing"), usage)
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ("a command is missing".to_owned(), usage)
        }
        ErrorKind::ArgumentConflict => {
            let other = list(error.get(ContextKind::PriorArg));
            let message = if other.is_empty() || other == format!("`{argument}`") {
                format!("`{argument}` is given twice")
            } else {
                format!("`{argument}` and {other} do not go together")
            };
            (message, usage)
        }
        ErrorKind::InvalidValue if value.is_empty() => (format!("`{argument}` needs a value"), usage),
        ErrorKind::InvalidValue => {
            let valid = list(error.get(ContextKind::ValidValue));
            let hint =
                meant(error, ContextKind::SuggestedValue).or_else(|| Some(format!("use one of {valid}")));
            (format!("`{argument}` cannot be `{value}`"), hint)
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(ToString::to_string);
            (format!("`{argument}` cannot be `{value}`"), why.or(usage))
        }
        ErrorKind::TooManyValues => (format!("`{argument}` takes no value `{value}`"), usage),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            let least = word(ContextKind::MinValues);
            let least = if least.is_empty() { word(ContextKind::ExpectedNumValues) } else { least };
            (format!("`{argument}` is needed {least} times or more"), usage)
        }
        kind => (kind.as_str().unwrap_or("the call is wrong").to_owned(), usage),
    }
}

/// `--set <KEY=VALUE>` → `--set`, `<RECIPE>` → `RECIPE`, `[RUN]...` → `RUN`
fn bare(argument: &str) -> String {
    let first = argument.split([' ', '=']).next().unwrap_or(argument);
    first.trim_end_matches("...").trim_matches(['<', '>', '[', ']']).to_owned()
}

fn list(value: Option<&ContextValue>) -> String {
    let words: Vec<String> = match value {
        Some(ContextValue::Strings(words)) => words.iter().map(|word| bare(word)).collect(),
        Some(ContextValue::String(word)) => vec![bare(word)],
        _ => Vec::new(),
    };
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn meant(error: &clap::Error, kind: ContextKind) -> Option<String> {
    let near = match error.get(kind)? {
        ContextValue::String(word) => word.clone(),
        ContextValue::Strings(words) => words.last()?.clone(),
        _ => return None,
    };
    Some(format!("did you mean `{}`?", bare(&near)))
}

/// The help page of the command that was called, read off the usage line.
fn help_call(usage: &str) -> Option<String> {
    let usage = console::strip_ansi_codes(usage).into_owned();
    let words: Vec<&str> = usage
        .trim_start_matches("Usage:")
        .split_whitespace()
        .take_while(|word| word.chars().all(|letter| letter.is_ascii_lowercase()))
        .collect();
    let command = if words.is_empty() { "luthier".to_owned() } else { words.join(" ") };
    Some(format!("`{command} --help` says how it is called"))
}
