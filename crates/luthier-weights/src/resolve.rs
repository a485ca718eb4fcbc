//! From what a recipe says to a path.

#[cfg(feature = "hub")]
mod download;
mod hub;
mod places;
mod pypi;

pub use places::Places;

use crate::error::WeightsError;
use std::path::{Path, PathBuf};

/// Files of a tokenizer, as they lie beside weights.
pub const TOKENIZER_FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
];

/// Turns `spec` into the path of a file or folder for [`read`](crate::read()):
///
/// - a path, relative to `base`;
/// - `hf:owner/name` or `hf:owner/name@revision`: a folder in the hub cache, downloaded where it is missing
///   and the network may be used;
/// - `pypi:package`: a file that `scripts/weights.py` fetched.
///
/// The environment decides where the caches are: see [`Places::from_env`].
///
/// # Errors
/// [`WeightsError`]: a malformed `spec`, or files that are missing, and where they are wanted.
pub fn resolve(spec: &str, base: &Path) -> Result<PathBuf, WeightsError> {
    resolve_in(spec, base, &Places::from_env())
}

/// As [`resolve`], with caches given.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_in(spec: &str, base: &Path, places: &Places) -> Result<PathBuf, WeightsError> {
    let wrong = |why: &str| WeightsError::Spec { spec: spec.to_owned(), why: why.to_owned() };
    if let Some(model) = spec.strip_prefix("hf:") {
        return hub::Model::parse(model).map_err(|why| wrong(&why))?.resolve(places);
    }
    if let Some(package) = spec.strip_prefix("pypi:") {
        return pypi::resolve(package, places).map_err(|error| error.unwrap_or_else(wrong));
    }
    if spec.is_empty() {
        return Err(wrong("it is empty"));
    }
    let path = base.join(spec);
    match std::fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(WeightsError::io(&path, error)),
    }
}
