use std::io::{self, Write};

use super::{Failure, Sentence};

/// Writes data to stdout.
///
/// # Errors
/// [`Failure::quiet`] with code 0 when the reader is gone (`| head`): it has what it wanted. Else (a full disk) an
/// error with code 1.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::quiet(0),
        _ => Failure::subject(Sentence { message: format!("cannot write to stdout: {error}"), hint: None }),
    })
}

/// Writes a value to stdout as JSON, on lines of its own.
///
/// # Errors
/// As [`print`].
pub fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Failure::subject(Sentence {
            message: format!("cannot write the answer as JSON: {error}"),
            hint: None,
        })
    })?;
    print(&(text + "\n"))
}
