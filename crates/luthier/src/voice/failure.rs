use miette::Diagnostic;
use thiserror::Error;

/// An error of any room.
pub type AnyDiagnostic = Box<dyn Diagnostic + Send + Sync>;

/// Why the program ends early: an exit code, and what to say.
#[derive(Debug)]
pub struct Failure {
    /// Exit code
    pub code: u8,
    /// What to say; nothing when everything was said, or nobody listens any more
    pub diagnostic: Option<AnyDiagnostic>,
}

impl Failure {
    /// The run or the subject has an error: exit code 1.
    pub fn subject(diagnostic: impl Into<AnyDiagnostic>) -> Failure {
        Failure { code: 1, diagnostic: Some(diagnostic.into()) }
    }

    /// The call is wrong: exit code 2.
    pub fn call(diagnostic: impl Into<AnyDiagnostic>) -> Failure {
        Failure { code: 2, diagnostic: Some(diagnostic.into()) }
    }

    /// A wrong call, in one sentence and a hint.
    pub fn misuse(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::call(Sentence { message: message.into(), hint: Some(hint.into()) })
    }

    /// Everything was said: end with this code.
    pub fn quiet(code: u8) -> Failure {
        Failure { code, diagnostic: None }
    }
}

/// An error that is one sentence and perhaps a hint.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Sentence {
    /// What is wrong
    pub message: String,
    /// What to do
    pub hint: Option<String>,
}

impl Diagnostic for Sentence {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn std::fmt::Display>)
    }
}

/// Whose fault an error is: decides the exit code.
pub trait Blame<T> {
    /// The call is wrong (a bad recipe, a missing file): exit code 2.
    ///
    /// # Errors
    /// The error, as a [`Failure`].
    fn or_call(self) -> Result<T, Failure>;

    /// The run or the subject has an error: exit code 1.
    ///
    /// # Errors
    /// The error, as a [`Failure`].
    fn or_subject(self) -> Result<T, Failure>;
}

impl<T, E: Into<AnyDiagnostic>> Blame<T> for Result<T, E> {
    fn or_call(self) -> Result<T, Failure> {
        self.map_err(Failure::call)
    }

    fn or_subject(self) -> Result<T, Failure> {
        self.map_err(Failure::subject)
    }
}
