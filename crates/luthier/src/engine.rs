//! How `luthier` becomes `luthier-engine`: the same call, in a program that links libtorch.
//!
//! Loading libtorch takes a third of a second at every start, so the commands that need no tensors live in a program
//! without it. The others replace the process: same id, same terminal, same signals, nothing in between.

use std::{
    env,
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process,
};

use miette::Diagnostic;
use thiserror::Error;

/// Names the engine when it is not beside `luthier`.
pub const ENGINE_VARIABLE: &str = "LUTHIER_ENGINE";

/// File name of the engine.
pub const ENGINE_NAME: &str = "luthier-engine";

/// Why `luthier` did not become `luthier-engine`.
#[derive(Debug, Error, Diagnostic)]
pub enum EngineError {
    /// It is not built, or not installed beside `luthier`
    #[error("this command needs `{ENGINE_NAME}`, and there is none at `{}`", path.display())]
    #[diagnostic(help(
        "build both programs with `make build` or `cargo build --release`; or set `{ENGINE_VARIABLE}` to where it is"
    ))]
    Missing {
        /// Where it was looked for
        path: PathBuf,
    },
    /// It is there and does not start
    #[error("cannot start `{}`", path.display())]
    #[diagnostic(help("build it anew with `make build` or `cargo build --release`"))]
    Start {
        /// What was started
        path: PathBuf,
        /// What the system says
        source: io::Error,
    },
    /// The system does not say where this program is
    #[error("cannot find out where `luthier` itself is, to look for `{ENGINE_NAME}` beside it")]
    #[diagnostic(help("set `{ENGINE_VARIABLE}` to the path of `{ENGINE_NAME}`"))]
    Where {
        /// What the system says
        source: io::Error,
    },
}

/// How glibc hands out memory in the engine. A training step frees and asks again for activations of 50 MB each; as
/// glibc comes, every one of them is mapped anew and faulted in page by page, which cost a quarter of a ResNet-18 step. So:
/// one heap, never trimmed, in huge pages.
const MEMORY: &str = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=8589934592:\
                      glibc.malloc.top_pad=67108864";

/// The variable that glibc reads it from; a value of the user's own is left alone.
const MEMORY_VARIABLE: &str = "GLIBC_TUNABLES";

/// Where the engine is: `LUTHIER_ENGINE`, or beside this program, links followed.
///
/// # Errors
/// There is no such file.
pub fn find() -> Result<PathBuf, EngineError> {
    let path = match env::var_os(ENGINE_VARIABLE).filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => {
            let this = env::current_exe()
                .and_then(fs::canonicalize)
                .map_err(|source| EngineError::Where { source })?;
            this.parent().unwrap_or(Path::new(".")).join(ENGINE_NAME)
        }
    };
    if path.is_file() { Ok(path) } else { Err(EngineError::Missing { path }) }
}

/// A call of the engine at `path`, with the memory that it works best with.
pub fn command(path: &Path) -> process::Command {
    let mut command = process::Command::new(path);
    if env::var_os(MEMORY_VARIABLE).is_none() {
        command.env(MEMORY_VARIABLE, MEMORY);
    }
    command
}

/// Becomes the engine, with the same arguments. Comes back only with the reason why not.
pub fn become_engine(arguments: impl IntoIterator<Item = OsString>) -> EngineError {
    match find() {
        Ok(path) => {
            let source = command(&path).args(arguments).exec();
            EngineError::Start { path, source }
        }
        Err(error) => error,
    }
}
