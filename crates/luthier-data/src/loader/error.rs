use miette::Diagnostic;
use thiserror::Error;

use crate::{picture::PictureError, transforms::TransformError};

/// Why a batch can't be made.
#[derive(Debug, Error, Diagnostic)]
pub enum DataError {
    /// A sample can't be read
    #[error("`{path}` {source}")]
    #[diagnostic(help(
        "delete or replace it, leave it out with `data.exclude`, or set `data.on_error = \"skip\"` to go on without it"
    ))]
    Picture {
        /// Path below the data folder
        path: String,
        /// Why
        source: PictureError,
    },
    /// The transforms don't fit
    #[error(transparent)]
    #[diagnostic(transparent)]
    Transform(#[from] TransformError),
    /// An index beyond the samples
    #[error("there is no sample {index}")]
    NoSuchSample {
        /// The index
        index: u32,
    },
    /// A fault of the loader itself
    #[error("a loader thread panicked; the message is above")]
    #[diagnostic(help("this is a bug: please report it with the message"))]
    Panicked,
    /// No threads
    #[error("can't start the loader's threads: {reason}")]
    #[diagnostic(help("set `data.workers` to a smaller number"))]
    Threads {
        /// What the system says
        reason: String,
    },
}
