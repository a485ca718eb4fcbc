use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// What can go wrong with a run directory.
#[derive(Debug, Error, Diagnostic)]
pub enum TrackError {
    /// The operating system refused
    #[error("cannot {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried: `write`, `read`, `create`
        doing: &'static str,
        /// On which file or folder
        path: PathBuf,
        /// What the operating system said
        source: io::Error,
        /// What to do
        #[help]
        help: Option<&'static str>,
    },

    /// `--out` names a folder that has something in it
    #[error("`{}` is not empty", .0.display())]
    #[diagnostic(help("give another folder with `--out`, or go on with the run that is there: `--resume`"))]
    NotEmpty(PathBuf),

    /// The folder lacks what every run directory has
    #[error("`{}` is not a run directory: `{missing}` is missing", path.display())]
    #[diagnostic(help(
        "a run directory is what `luthier train` wrote: `runs/<name>-<date>`; a run that was killed before its first step has no `{missing}` and can be deleted"
    ))]
    NotARun {
        /// The folder
        path: PathBuf,
        /// What is missing in it
        missing: &'static str,
    },

    /// `plan.json` cannot be read as a plan
    #[error("`{}` is not a whole plan: {why}", path.display())]
    #[diagnostic(help("the file was cut or edited; start the run again from its `recipe.toml`"))]
    TornPlan {
        /// The file
        path: PathBuf,
        /// What the parser said
        why: String,
    },

    /// A line in the middle of a metrics file cannot be read
    #[error("line {line} of `{}` is not a metrics record: {why}", path.display())]
    #[diagnostic(help("the file was edited; delete the line, the curves will show a gap"))]
    BadLine {
        /// The file
        path: PathBuf,
        /// Counted from 1
        line: usize,
        /// What the parser said
        why: String,
    },

    /// A file lost what a checkpoint says was in it
    #[error("`{}` has {found} bytes, but had {expected} when the checkpoint was written", path.display())]
    #[diagnostic(help(
        "the file was cut or edited after the run was interrupted; put the original back, or resume from an older checkpoint"
    ))]
    Shorter {
        /// The file
        path: PathBuf,
        /// Bytes it has
        found: u64,
        /// Bytes it had
        expected: u64,
    },

    /// What a checkpoint says about the files of the run directory makes no sense
    #[error("the checkpoint's record of `{what}` cannot be read: {why}")]
    #[diagnostic(help("the checkpoint was edited; resume from another one"))]
    BadState {
        /// Which files it is about
        what: &'static str,
        /// What is wrong
        why: String,
    },

    /// A picture that was drawn cannot be converted
    #[error("cannot convert the plot `{plot}` to {to}: {why}")]
    #[diagnostic(help("the SVG beside it has the same picture"))]
    Picture {
        /// Name of the plot
        plot: String,
        /// `PNG` or `PDF`
        to: &'static str,
        /// What the converter said
        why: String,
    },
}

impl TrackError {
    /// What was to be created is there.
    pub(crate) fn is_there_already(&self) -> bool {
        matches!(self, TrackError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }

    /// The same where nothing has begun: there is no run to go on with.
    pub(crate) fn before_the_run(self) -> Self {
        match self {
            TrackError::Io { doing, path, source, .. } if is_full(&source) => {
                let help = Some("the disk is full: free some space, or give a folder elsewhere with `--out`");
                TrackError::Io { doing, path, source, help }
            }
            other => other,
        }
    }

    /// An error of the operating system, with the hint that fits it.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let help = match source.kind() {
            _ if is_full(&source) => Some("the disk is full: free some space, then go on with `--resume`"),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Some("you may not write there: give another folder with `--out`, or change its permissions")
            }
            io::ErrorKind::NotADirectory => {
                Some("a part of the path is a file: give another folder with `--out`")
            }
            io::ErrorKind::NotFound => Some("check the path"),
            _ => None,
        };
        TrackError::Io { doing, path: path.to_owned(), source, help }
    }
}

fn is_full(source: &io::Error) -> bool {
    matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_was_full_before_the_run_began_leaves_nothing_to_resume() {
        let full = || TrackError::io("write", Path::new("run/plan.json"), io::ErrorKind::StorageFull.into());
        let help = |error: &TrackError| error.help().map(|help| help.to_string()).unwrap_or_default();
        assert!(help(&full()).contains("--resume"));
        let before = help(&full().before_the_run());
        assert!(before.contains("the disk is full") && !before.contains("--resume"), "{before}");
    }
}
