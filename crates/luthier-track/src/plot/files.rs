use std::fs;
use std::path::{Path, PathBuf};

use super::curves::{Picture, Run, comparison, pictures};
use super::render::{pdf, png};
use crate::{Metrics, RunDir, TrackError, write_atomic};

/// Draws `plots/` anew: loss, accuracy, learning rate, gradient norm and confusion matrix, as far as the run has
/// numbers for them, each as SVG, PNG (288 dots per inch) and PDF. Says what it wrote.
///
/// # Errors
/// The run cannot be read, or a file cannot be written.
pub fn plot_run(run: &RunDir) -> Result<Vec<PathBuf>, TrackError> {
    let folder = run.plots();
    fs::create_dir_all(&folder).map_err(|source| TrackError::io("create", &folder, source))?;
    let mut written = Vec::new();
    for picture in pictures(&run.plan()?, &run.metrics()?, &run.monitor()?.0) {
        written.extend(write(&folder.join(&picture.name), &picture)?);
    }
    Ok(written)
}

/// The run's plots as SVG: name (`loss`), and the file's text.
///
/// # Errors
/// The run cannot be read.
pub fn plots(run: &RunDir) -> Result<Vec<(String, String)>, TrackError> {
    let pictures = pictures(&run.plan()?, &run.metrics()?, &run.monitor()?.0);
    Ok(pictures.into_iter().map(|picture| (picture.name, picture.svg)).collect())
}

/// One picture with the loss and accuracy of several runs, training solid and validation dash-dotted: `out` with
/// the endings `.svg`, `.png` and `.pdf`. Says what it wrote; nothing where no run has a number yet.
///
/// # Errors
/// A file cannot be written.
pub fn compare_plot(runs: &[(String, Metrics)], out: &Path) -> Result<Vec<PathBuf>, TrackError> {
    let runs: Vec<Run> = runs.iter().map(|(label, metrics)| Run { label, metrics }).collect();
    comparison(&runs).map_or(Ok(Vec::new()), |picture| write(out, &picture))
}

pub(super) fn write(stem: &Path, picture: &Picture) -> Result<Vec<PathBuf>, TrackError> {
    let mut written = Vec::new();
    let mut keep = |ending: &str, bytes: &[u8]| {
        // a dot in the name is not an ending
        let mut path = stem.as_os_str().to_owned();
        path.push(ending);
        let path = PathBuf::from(path);
        write_atomic(&path, bytes)?;
        written.push(path);
        Ok::<(), TrackError>(())
    };
    keep(".svg", picture.svg.as_bytes())?;
    keep(".png", &png(&picture.name, &picture.svg)?)?;
    keep(".pdf", &pdf(&picture.name, &picture.svg)?)?;
    Ok(written)
}
