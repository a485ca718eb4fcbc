use std::path::PathBuf;

use luthier_torch::TorchError;
use miette::Diagnostic;
use tch::TchError;
use thiserror::Error;

/// Why something contrastive cannot be computed.
#[derive(Debug, Error, Diagnostic)]
pub enum ContrastError {
    /// Numbers that do not go together
    #[error("{what}")]
    #[diagnostic(help("{help}"))]
    Refused {
        /// What is wrong, with the numbers
        what: String,
        /// What to do
        help: &'static str,
    },
    /// A feature file can't be read or written, or is none
    #[error("`{}` cannot be {verb}: {why}", path.display())]
    #[diagnostic(help("{help}"))]
    File {
        /// The file
        path: PathBuf,
        /// `read` or `written`
        verb: &'static str,
        /// What stands in the way
        why: String,
        /// What to do
        help: &'static str,
    },
    /// libtorch threw
    #[error(transparent)]
    #[diagnostic(transparent)]
    Torch(#[from] TorchError),
}

impl From<TchError> for ContrastError {
    fn from(error: TchError) -> Self {
        ContrastError::Torch(error.into())
    }
}

/// Shorthand for [`ContrastError::Refused`].
pub(crate) fn refused(what: impl Into<String>, help: &'static str) -> ContrastError {
    ContrastError::Refused { what: what.into(), help }
}
